package catalog_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/naming"
)

// open returns a catalog of f whose Close the test's end checks.
func open(t *testing.T, f naming.Watcher, o catalog.Options) *catalog.Catalog {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c, err := catalog.New(f, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// want looks the service up and compares its addresses.
func want(t *testing.T, c *catalog.Catalog, service, addresses string) *catalog.View {
	t.Helper()
	synctest.Wait()
	v, err := c.Lookup(t.Context(), service)
	if err != nil {
		t.Fatalf("Lookup(%q): %v", service, err)
	}
	if got := addrs(v.Instances); got != addresses {
		t.Fatalf("Lookup(%q) = %q, want %q", service, got, addresses)
	}
	return v
}

func TestLookupFollowsTheRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := open(t, f, catalog.Options{})
		f.set("svc", insts("a:1", "b:1"))
		first := want(t, c, "svc", "a:1 b:1")
		if first.Revision != 1 || first.Seq == 0 || !first.Saved.IsZero() || first.Made.IsZero() {
			t.Errorf("view = %+v", first)
		}
		f.set("svc", append(first.Instances[:1:1], insts("b:1", "c:1")...))
		second := want(t, c, "svc", "a:1 b:1 c:1")
		if second.Seq <= first.Seq || second.Revision != 2 {
			t.Errorf("seq %d -> %d, revision %d", first.Seq, second.Seq, second.Revision)
		}
		if first.Instances[0] != second.Instances[0] || first.Instances[1] != second.Instances[1] {
			t.Error("an unchanged instance is another pointer")
		}
		f.set("svc", second.Instances[2:], "a:1", "b:1")
		want(t, c, "svc", "c:1")
		f.set("svc", nil, "c:1")
		want(t, c, "svc", "")
		if n := f.running("svc"); n != 1 {
			t.Errorf("%d watches of one service", n)
		}
	})
}

func TestLookupWaitsForTheFirstViewOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := open(t, f, catalog.Options{})
		f.link = naming.Link{Err: errors.New("no route")}
		start := time.Now()
		_, err := c.Lookup(t.Context(), "svc")
		if !errors.Is(err, catalog.ErrNoView) || !strings.Contains(err.Error(), "no route") {
			t.Errorf("err = %v", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("waited %v, want 1s", d)
		}
		// The wait belongs to the watch, not to each lookup.
		start = time.Now()
		if _, err = c.Lookup(t.Context(), "svc"); !errors.Is(err, catalog.ErrNoView) || time.Since(start) != 0 {
			t.Errorf("second lookup: %v after %v", err, time.Since(start))
		}
		f.set("svc", insts("a:1"))
		want(t, c, "svc", "a:1")
	})
}

func TestLookupEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, newFake(), catalog.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := c.Lookup(ctx, "svc")
		if !errors.Is(err, catalog.ErrNoView) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestLookupIsReleasedByTheFirstView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := open(t, f, catalog.Options{})
		time.AfterFunc(300*time.Millisecond, func() { f.set("svc", insts("a:1")) })
		start := time.Now()
		v, err := c.Lookup(t.Context(), "svc")
		if err != nil || addrs(v.Instances) != "a:1" || time.Since(start) != 300*time.Millisecond {
			t.Errorf("%v, %v after %v", v, err, time.Since(start))
		}
	})
}

func TestBadNamesStartNothing(t *testing.T) {
	t.Parallel()
	f := newFake()
	c := open(t, f, catalog.Options{})
	for _, name := range []string{"", "a/b", "a\nb", strings.Repeat("x", 254)} {
		if _, err := c.Lookup(t.Context(), name); !errors.Is(err, naming.ErrInvalid) {
			t.Errorf("Lookup(%.10q): %v", name, err)
		}
		if _, err := c.Subscribe(name); !errors.Is(err, naming.ErrInvalid) {
			t.Errorf("Subscribe(%.10q): %v", name, err)
		}
	}
	if f.started != 0 {
		t.Errorf("%d watches", f.started)
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		o    catalog.Options
		name string
	}{
		{catalog.Options{FirstWait: -1}, "FirstWait"},
		{catalog.Options{Idle: -1}, "Idle"},
		{catalog.Options{MaxWatches: -1}, "MaxWatches"},
		{catalog.Options{SuspectFor: -1}, "SuspectFor"},
		{catalog.Options{DialTimeout: -1}, "DialTimeout"},
		{catalog.Options{Dials: -1}, "Dials"},
		{catalog.Options{CacheMaxAge: -1}, "CacheMaxAge"},
	} {
		if _, err := catalog.New(newFake(), tt.o); err == nil || !strings.Contains(err.Error(), tt.name) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := catalog.New(nil, catalog.Options{}); err == nil {
		t.Error("a nil watcher passed")
	}
}

func TestWatchesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := open(t, f, catalog.Options{MaxWatches: 2, Idle: time.Minute})
		for _, s := range []string{"a", "b", "c"} {
			f.set(s, insts(s+":1"))
		}
		want(t, c, "a", "a:1")
		want(t, c, "b", "b:1")
		_, err := c.Lookup(t.Context(), "c")
		if !errors.Is(err, catalog.ErrTooMany) || !strings.Contains(err.Error(), "MaxWatches") {
			t.Errorf("third service: %v", err)
		}
		want(t, c, "a", "a:1") // those in use are not touched
		time.Sleep(2 * time.Minute)
		want(t, c, "c", "c:1")
	})
}

func TestAnIdleWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := open(t, f, catalog.Options{Idle: time.Minute})
		f.set("svc", insts("a:1"))
		first := want(t, c, "svc", "a:1")
		time.Sleep(50 * time.Second)
		want(t, c, "svc", "a:1") // a use
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if f.running("svc") != 1 {
			t.Fatal("ended before the idle time")
		}
		time.Sleep(17 * time.Second)
		synctest.Wait()
		if f.running("svc") != 0 {
			t.Fatal("still watched after 1.25 x the idle time")
		}
		f.set("svc", insts("b:1"), "a:1")
		if again := want(t, c, "svc", "b:1"); again.Seq <= first.Seq {
			t.Errorf("seq %d after %d", again.Seq, first.Seq)
		}

		s, err := c.Subscribe("svc")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if f.running("svc") != 1 {
			t.Error("a watch with a subscriber ended")
		}
		s.Close()
		s.Close()
		time.Sleep(76 * time.Second)
		synctest.Wait()
		if f.running("svc") != 0 {
			t.Error("still watched after the subscription's end")
		}
	})
}

func TestSubscribersSeeTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := open(t, f, catalog.Options{})
		s, err := c.Subscribe("svc")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s.View() != nil {
			t.Error("a view before the first")
		}
		for _, a := range []string{"a:1", "b:1", "c:1"} { // nobody receives meanwhile
			f.set("svc", insts(a))
			synctest.Wait()
		}
		<-s.Changed()
		if got := addrs(s.View().Instances); !strings.Contains(got, "c:1") {
			t.Errorf("view = %q", got)
		}
		select {
		case <-s.Changed():
			t.Error("told twice of one view")
		default:
		}
		late, _ := c.Subscribe("svc")
		<-late.Changed()
		late.Close()
		if _, ok := <-late.Changed(); ok {
			t.Error("a closed subscription's channel is open")
		}
		f.set("svc", s.View().Instances) // a revision without a change
		synctest.Wait()
		select {
		case <-s.Changed():
			t.Error("told of no change")
		default:
		}
		_ = c.Close()
		if _, ok := <-s.Changed(); ok {
			t.Error("open after the catalog's Close")
		}
		s.Close()
	})
}

type closer struct{ closed int }

func (c *closer) Close() error { c.closed++; return nil }

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := open(t, f, catalog.Options{})
		f.set("svc", insts("a:1"))
		want(t, c, "svc", "a:1")
		type key struct{}
		x := new(closer)
		for range 2 {
			if got, err := c.Extension(key{}, func() io.Closer { return x }); err != nil || got != x {
				t.Fatalf("Extension: %v, %v", got, err)
			}
		}
		blocked := make(chan error)
		go func() {
			_, err := c.Lookup(t.Context(), "other")
			blocked <- err
		}()
		synctest.Wait()
		go func() { _ = c.Close() }()
		_ = c.Close()
		if err := <-blocked; !errors.Is(err, catalog.ErrClosed) {
			t.Errorf("a waiting Lookup got %v", err)
		}
		if f.running("svc") != 0 || x.closed != 1 {
			t.Errorf("%d watches, extension closed %d times", f.running("svc"), x.closed)
		}
		want(t, c, "svc", "a:1") // what was known last
		if _, err := c.Lookup(t.Context(), "new"); !errors.Is(err, catalog.ErrClosed) {
			t.Errorf("Lookup after Close: %v", err)
		}
		if _, err := c.Subscribe("svc"); !errors.Is(err, catalog.ErrClosed) {
			t.Errorf("Subscribe after Close: %v", err)
		}
	})
}

func TestAWatchThatEndsIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.err = errors.New("driver's whim")
		c := open(t, f, catalog.Options{})
		if _, err := c.Lookup(t.Context(), "svc"); !errors.Is(err, catalog.ErrNoView) {
			t.Errorf("err = %v", err)
		}
		time.Sleep(time.Minute)
		f.mu.Lock()
		if f.started < 5 || f.started > 40 {
			t.Errorf("started %d times in a minute", f.started)
		}
		f.err = nil
		f.mu.Unlock()
		f.set("svc", insts("a:1"))
		time.Sleep(10 * time.Second)
		want(t, c, "svc", "a:1")
	})
}

func TestANameThatTheDriverRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.err = naming.ErrInvalid
		c := open(t, f, catalog.Options{})
		start := time.Now()
		if _, err := c.Lookup(t.Context(), "svc"); !errors.Is(err, naming.ErrInvalid) || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		time.Sleep(time.Minute)
		if f.started != 1 {
			t.Errorf("started %d times", f.started)
		}
	})
}
