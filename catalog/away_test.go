package catalog_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/naming"
)

// A registry that is away says nothing, and nothing changes.
func TestTheLastViewStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := open(t, f, catalog.Options{})
		f.set("svc", insts("a:1"))
		want(t, c, "svc", "a:1")
		f.mu.Lock()
		f.link = naming.Link{Since: time.Now(), Err: errors.New("gone")}
		f.mu.Unlock()
		for range 24 * 30 {
			time.Sleep(5 * time.Minute)
			want(t, c, "svc", "a:1")
		}
		if l := c.Link(); l.Up || time.Since(l.Since) != 60*time.Hour {
			t.Errorf("link = %+v", l)
		}
	})
}

// A service that was idle when the registry went away is called as before.
func TestAnIdleServiceIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := open(t, f, catalog.Options{Idle: time.Minute, MaxWatches: 2})
		for _, s := range []string{"a", "b", "c"} { // one more than is remembered
			f.set(s, insts(s+":1"))
			want(t, c, s, s+":1")
			time.Sleep(2 * time.Minute)
		}
		idle := time.Now()
		f.silence()
		if _, err := c.Lookup(t.Context(), "a"); !errors.Is(err, catalog.ErrNoView) {
			t.Errorf("the oldest is not forgotten: %v", err)
		}
		time.Sleep(2 * time.Minute)
		start := time.Now()
		v, err := c.Lookup(t.Context(), "c")
		if err != nil || addrs(v.Instances) != "c:1" || time.Since(start) != 500*time.Millisecond {
			t.Fatalf("%v, %v after %v", v, err, time.Since(start))
		}
		if age := idle.Sub(v.Saved); age < 0 || age > time.Minute {
			t.Errorf("saved %v before the silence", age)
		}
		f.set("c", insts("c:2"))
		if v = want(t, c, "c", "c:2"); !v.Saved.IsZero() || len(v.Suspects) != 0 {
			t.Errorf("view %+v", v)
		}
	})
}

// What was known before is refused at the age of a copy.
func TestAnIdleServiceIsNotRememberedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := open(t, f, catalog.Options{Idle: time.Minute, CacheMaxAge: time.Hour})
		f.set("a", insts("a:1"))
		want(t, c, "a", "a:1")
		time.Sleep(70 * time.Minute)
		f.silence()
		if v, err := c.Lookup(t.Context(), "a"); !errors.Is(err, catalog.ErrNoView) {
			t.Errorf("%v, %v", v, err)
		}
	})
}

// While the registry is away nothing is given up.
func TestNoWatchEndsWhileTheRegistryIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := open(t, f, catalog.Options{Idle: time.Minute})
		f.set("svc", insts("a:1"))
		want(t, c, "svc", "a:1")
		f.setLink(naming.Link{Since: time.Now()})
		time.Sleep(time.Hour)
		synctest.Wait()
		if f.running("svc") != 1 {
			t.Error("the watch ended")
		}
		f.setLink(naming.Link{Up: true, Since: time.Now()})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if f.running("svc") != 0 {
			t.Error("the watch goes on")
		}
	})
}
