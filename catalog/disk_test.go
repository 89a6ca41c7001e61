package catalog

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/naming"
)

// silent is a registry that answers what it is given, and nothing before.
type silent struct {
	scope  string
	answer chan naming.Update
}

func (s *silent) Scope() string     { return s.scope }
func (s *silent) Link() naming.Link { return naming.Link{} }

func (s *silent) Watch(ctx context.Context, _ string, emit func(naming.Update)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case u := <-s.answer:
			emit(u)
		}
	}
}

// logged is what was logged.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func openCopy(t *testing.T, dir, scope string, log *logged) (*Catalog, *silent) {
	t.Helper()
	ns, err := naming.NewNamespace("dev", "blue")
	if err != nil {
		t.Fatal(err)
	}
	w := &silent{scope: scope, answer: make(chan naming.Update)}
	c, err := New(w, Options{CacheDir: dir, Namespace: ns, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return c, w
}

func say(addrs string) naming.Update {
	u := update(addrs)
	for _, i := range u.Snapshot.Instances {
		i.Addr += ":1"
	}
	for n := range u.Left {
		u.Left[n] += ":1"
	}
	return u
}

func TestAColdStartUsesTheCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, log := t.TempDir(), new(logged)
		c, w := openCopy(t, dir, "one", log)
		go func() {
			u := say("a b")
			u.Snapshot.Revision = 7
			u.Snapshot.Instances[0].Tags = map[string]string{"zone": "z1"}
			w.answer <- u
		}()
		if _, err := c.Lookup(t.Context(), "svc"); err != nil {
			t.Fatal(err)
		}
		_ = c.Close() // writes
		files, _ := filepath.Glob(filepath.Join(dir, "dev", "blue", "*"))
		if len(files) != 1 || !strings.HasPrefix(filepath.Base(files[0]), "svc-") {
			t.Fatalf("files %q", files)
		}

		time.Sleep(time.Hour)
		c, w = openCopy(t, dir, "one", log)
		defer c.Close()
		sub, err := c.Subscribe("svc")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		v, err := c.Lookup(t.Context(), "svc")
		if err != nil || names(v.Instances) != "a:1 b:1" || v.Revision != 7 || v.Instances[0].Tags["zone"] != "z1" {
			t.Fatalf("%+v, %v", v, err)
		}
		if d := time.Since(start); d != 500*time.Millisecond {
			t.Errorf("the registry got %v to answer first", d)
		}
		if age := time.Since(v.Saved).Round(time.Minute); age != time.Hour || !strings.Contains(log.String(), "age=1h0m") {
			t.Errorf("age %v, log %s", age, log)
		}
		<-sub.Changed()

		w.answer <- say("b c") // one answer, and what the copy says of a is past
		<-sub.Changed()
		if v = sub.View(); names(v.Instances) != "b:1 c:1" || !v.Saved.IsZero() || len(v.Suspects) != 0 {
			t.Errorf("%+v", v)
		}
		sub.Close()
	})
}

func TestALiveAnswerIsBetterThanACopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, log := t.TempDir(), new(logged)
		for _, addr := range []string{"a", "b"} {
			c, w := openCopy(t, dir, "one", log)
			time.AfterFunc(400*time.Millisecond, func() { w.answer <- say(addr) })
			v, err := c.Lookup(t.Context(), "svc")
			if err != nil || names(v.Instances) != addr+":1" || !v.Saved.IsZero() {
				t.Errorf("%+v, %v", v, err)
			}
			time.Sleep(time.Second)
			_ = c.Close()
		}
	})
}

func TestCopiesAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(path string) error
		scope string
		later time.Duration
		want  string
	}{
		"fine":      {nil, "one", time.Hour, ""},
		"too old":   {nil, "one", 24 * time.Hour, "old"},
		"another's": {nil, "two", 0, ""}, // of another name, so that it is not even found
		"foreign": {func(p string) error {
			v := &View{Service: "svc", Instances: list("a:1")}
			data, err := encodeCopy("somebody else", v, time.Now())
			return errors.Join(err, os.WriteFile(p, data, 0o600))
		}, "one", 0, "foreign"},
		"another service": {func(p string) error {
			data, err := encodeCopy("one", &View{Service: "other"}, time.Now())
			return errors.Join(err, os.WriteFile(p, data, 0o600))
		}, "one", 0, "foreign"},
		"a bit flipped": {func(p string) error {
			data, err := os.ReadFile(p)
			data[len(data)/2] ^= 1
			return errors.Join(err, os.WriteFile(p, data, 0o600))
		}, "one", 0, "checksum"},
		"cut off": {func(p string) error { return os.Truncate(p, 100) }, "one", 0, "checksum"},
		"empty":   {func(p string) error { return os.Truncate(p, 0) }, "one", 0, "damaged"},
		"a directory": {func(p string) error {
			return errors.Join(os.Remove(p), os.Mkdir(p, 0o700))
		}, "one", 0, "directory"},
		"an address that none can dial": {func(p string) error {
			data, err := encodeCopy("one", &View{Service: "svc", Instances: list("0.0.0.0:1")}, time.Now())
			return errors.Join(err, os.WriteFile(p, data, 0o600))
		}, "one", 0, "unspecified"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir, log := t.TempDir(), new(logged)
				c, w := openCopy(t, dir, "one", log)
				go func() { w.answer <- say("a") }()
				if _, err := c.Lookup(t.Context(), "svc"); err != nil {
					t.Fatal(err)
				}
				_ = c.Close()
				if tt.spoil != nil {
					files, _ := filepath.Glob(filepath.Join(dir, "dev", "blue", "svc-*"))
					if err := tt.spoil(files[0]); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(tt.later)
				c, _ = openCopy(t, dir, tt.scope, log)
				defer c.Close()
				_, err := c.Lookup(t.Context(), "svc")
				if usable := name == "fine"; usable != (err == nil) || !usable && !errors.Is(err, ErrNoView) {
					t.Errorf("err = %v", err)
				}
				if !strings.Contains(log.String(), tt.want) || tt.want != "" && !strings.Contains(log.String(), "refused") {
					t.Errorf("log: %s", log)
				}
			})
		})
	}
}

func TestACacheDirThatCannotBe(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(&silent{}, Options{CacheDir: file}); err == nil || !strings.Contains(err.Error(), "CacheDir") {
		t.Errorf("err = %v", err)
	}
}

func TestAFailureToSaveIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, log := t.TempDir(), new(logged)
		c, w := openCopy(t, dir, "one", log)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		sub, err := c.Subscribe("svc")
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []string{"a", "b -a", "c -b"} {
			w.answer <- say(a)
			time.Sleep(2 * time.Second)
		}
		sub.Close()
		_ = c.Close()
		if n := strings.Count(log.String(), "can't be saved"); n != 1 {
			t.Errorf("reported %d times: %s", n, log)
		}
	})
}

func TestPathsStayInTheDirectory(t *testing.T) {
	t.Parallel()
	d := &disk{dir: "/cache", scope: "one"}
	seen := map[string]bool{}
	for _, s := range []string{"..", ".", "a b", "a_b", "ä", strings.Repeat("x", 253), `c:\x`, "a.b.UserService"} {
		p := d.path(s)
		if filepath.Dir(p) != "/cache" || len(filepath.Base(p)) > 120 || seen[p] {
			t.Errorf("%q: %q", s, p)
		}
		seen[p] = true
	}
}

func FuzzDecodeCopy(f *testing.F) {
	good, err := encodeCopy("one", &View{Service: "svc", Instances: list("a:1 b:1")}, t0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(copyMagic + "\n{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := decodeCopy(data, "one", "svc")
		if err != nil {
			return
		}
		for n, i := range v.Instances {
			if n > 0 && v.Instances[n-1].Addr >= i.Addr || naming.CheckAddr(i.Addr) != nil {
				t.Fatalf("%q", names(v.Instances))
			}
		}
	})
}
