package catalog

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/naming"
)

// answering is a silent registry whose link a test sets.
type answering struct {
	silent
	away atomic.Bool
}

func (a *answering) Link() naming.Link { return naming.Link{Up: !a.away.Load()} }

// ageOfCopy returns how old the copy is that a client finds which starts now.
func ageOfCopy(t *testing.T, dir string) time.Duration {
	t.Helper()
	c, _ := openCopy(t, dir, "one", new(logged))
	defer c.Close()
	v, err := c.Lookup(t.Context(), "svc")
	if err != nil || names(v.Instances) != "a:1 b:1" {
		t.Fatalf("%+v, %v", v, err)
	}
	return time.Since(v.Saved)
}

// TestACopyOfWhatDoesNotChange: a copy's age counts from the registry's last word, not from the last change, so that a
// client of an unchanging service can start in an outage after any time.
func TestACopyOfWhatDoesNotChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		ns, err := naming.NewNamespace("dev", "blue")
		if err != nil {
			t.Fatal(err)
		}
		w := &answering{silent: silent{scope: "one", answer: make(chan naming.Update)}}
		c, err := New(w, Options{CacheDir: dir, Namespace: ns, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := c.Subscribe("svc")
		if err != nil {
			t.Fatal(err)
		}
		w.answer <- say("a b")
		const step = DefaultCacheMaxAge / confirmSteps
		for range 48 { // a client that is killed in any of these hours left a copy to the next
			time.Sleep(time.Hour)
			if age := ageOfCopy(t, dir); age > step+time.Minute {
				t.Fatalf("the copy is %v old", age)
			}
		}
		// In an outage nobody stands by the view, and the copy grows old.
		time.Sleep(time.Minute)
		w.away.Store(true)
		time.Sleep(20 * time.Hour)
		if age := ageOfCopy(t, dir); age < 20*time.Hour {
			t.Errorf("the copy is %v old after 20h of outage", age)
		}
		w.away.Store(false)
		time.Sleep(time.Minute)
		s.Close()
		_ = c.Close()
		if age := ageOfCopy(t, dir); age > time.Second {
			t.Errorf("the copy is %v old after Close", age)
		}
	})
}
