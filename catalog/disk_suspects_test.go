package catalog

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/naming"
)

// TestTheFirstAnswerAfterACopy: what the copy lists and the registry's first answer lacks has lapsed, for all that anybody
// said. So an etcd that was wiped empties nobody's list, and an old copy keeps nobody for long.
func TestTheFirstAnswerAfterACopy(t *testing.T) {
	for name, tt := range map[string]struct {
		answer, down string
		soon         string // the view after a second, when the suspects have been dialed
		suspects     int    // of these
		later        string // after SuspectFor
		off          bool
	}{
		"as the copy":              {answer: "a b c d", soon: "a:1 b:1 c:1 d:1", later: "a:1 b:1 c:1 d:1"},
		"less than half is gone":   {answer: "a b c", soon: "a:1 b:1 c:1", later: "a:1 b:1 c:1"},
		"more than half is gone":   {answer: "a", down: "c:1", soon: "a:1 b:1 d:1", suspects: 2, later: "a:1"},
		"empty":                    {answer: "", down: "c:1", soon: "a:1 b:1 d:1", suspects: 3},
		"empty, and all are dead":  {answer: "", down: "a:1 b:1 c:1 d:1"},
		"empty, and all have left": {answer: "-a -b -c -d"},
		"as many others":           {answer: "e f g h", soon: "e:1 f:1 g:1 h:1", later: "e:1 f:1 g:1 h:1"},
		"empty, and no suspects":   {answer: "", off: true},
	} {
		for _, from := range []string{"disk", "memory"} {
			t.Run(name+"/"+from, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := &answering{silent: silent{scope: "one", answer: make(chan naming.Update)}}
					o := Options{Idle: time.Minute, NoSuspects: tt.off, Logger: slog.New(slog.DiscardHandler)}
					o.Dial = func(_ context.Context, _, addr string) (net.Conn, error) {
						if contains(list(tt.down), addr) {
							return nil, errors.New("refused")
						}
						return nil, nil
					}
					if from == "disk" {
						o.CacheDir = t.TempDir()
					}
					c := known(t, w, o)
					if from == "disk" {
						_ = c.Close()
						var err error
						if c, err = New(w, o); err != nil {
							t.Fatal(err)
						}
						defer c.Close()
					}
					s, err := c.Subscribe("svc")
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					if v, err := c.Lookup(t.Context(), "svc"); err != nil || v.Saved.IsZero() || names(v.Instances) != "a:1 b:1 c:1 d:1" {
						t.Fatalf("%+v, %v: not what was known", v, err)
					}

					w.answer <- say(tt.answer)
					expect := func(want string, suspects int) {
						t.Helper()
						if v := s.View(); names(v.Instances) != want || len(v.Suspects) != suspects || !v.Saved.IsZero() {
							t.Errorf("view %q, %d suspects, saved %v; want %q, %d", names(v.Instances), len(v.Suspects), v.Saved, want, suspects)
						}
						if from != "disk" {
							return
						}
						if v := c.disk.read("svc", time.Now()); v == nil || names(v.Instances) != want {
							t.Errorf("the copy is %+v, want %q", v, want)
						}
					}
					time.Sleep(time.Second + saveEvery)
					expect(tt.soon, tt.suspects)
					time.Sleep(DefaultSuspectFor)
					expect(tt.later, 0)
				})
			})
		}
	}
}

// known returns a catalog that has known four instances of the service, which has become idle since.
func known(t *testing.T, w *answering, o Options) *Catalog {
	t.Helper()
	c, err := New(w, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() { w.answer <- say("a b c d") }()
	if _, err := c.Lookup(t.Context(), "svc"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Minute)
	return c
}

// TestACopyThatIsConfirmed: a first answer that says what the copy says is no change, and makes the copy young.
func TestACopyThatIsConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &answering{silent: silent{scope: "one", answer: make(chan naming.Update)}}
		w.away.Store(true)
		o := Options{CacheDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
		_ = known(t, w, o).Close()
		time.Sleep(20 * time.Hour)
		c, err := New(w, o)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := c.Subscribe("svc")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		<-s.Changed()
		old := s.View()
		w.answer <- say("a b c d")
		time.Sleep(2 * saveEvery)
		select {
		case <-s.Changed():
			t.Error("told of no change")
		default:
		}
		if v := s.View(); v.Instances[0] != old.Instances[0] || v.Seq != old.Seq || !v.Saved.IsZero() {
			t.Errorf("%+v became %+v", old, v)
		}
		if v := c.disk.read("svc", time.Now()); v == nil || time.Since(v.Saved) > time.Minute {
			t.Errorf("the copy is %+v", v)
		}
	})
}
