package catalog_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/naming"
)

// TestViews: what is in use is shown, in order; looking at it is no use.
func TestViews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set("b", insts("10.0.0.1:1"))
		f.set("a", insts("10.0.0.1:2", "10.0.0.1:3"))
		c := open(t, f, catalog.Options{Idle: time.Minute, FirstWait: time.Second})
		if all := c.Views(); len(all) != 0 {
			t.Fatalf("%d views before the first lookup", len(all))
		}
		want(t, c, "b", "10.0.0.1:1")
		want(t, c, "a", "10.0.0.1:2 10.0.0.1:3")
		if _, err := c.Lookup(t.Context(), "unknown"); err == nil {
			t.Fatal("a service of which nothing is known has a view")
		}
		all := c.Views()
		if len(all) != 2 || all[0].Service != "a" || len(all[0].Instances) != 2 || all[1].Service != "b" {
			t.Fatalf("views of %d services, want a and b", len(all))
		}
		for range 4 { // a look now and then keeps nothing alive
			time.Sleep(30 * time.Second)
			all = c.Views()
		}
		if len(all) != 0 {
			t.Errorf("%d services are in use still", len(all))
		}
	})
}

// TestTheAgeOfAView: none while the registry stands by it.
func TestTheAgeOfAView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set("svc", insts("10.0.0.1:1"))
		o := catalog.Options{CacheDir: t.TempDir()}
		c := open(t, f, o)
		age := func(exact time.Duration) {
			t.Helper()
			if got := c.Age(want(t, c, "svc", "10.0.0.1:1")); got != exact {
				t.Errorf("age %v, want %v", got, exact)
			}
		}
		age(0)
		time.Sleep(time.Hour)
		age(0) // nothing has changed, and the registry answers
		f.setLink(naming.Link{Since: time.Now()})
		time.Sleep(time.Hour)
		age(time.Hour)
		f.setLink(naming.Link{Up: true, Since: time.Now()})
		age(0)
		saved := time.Now()
		_ = c.Close()

		f.silence()
		f.setLink(naming.Link{})
		time.Sleep(2 * time.Hour)
		c = open(t, f, o)
		age(time.Since(saved) + catalog.DefaultFirstWait/2)
		f.set("svc", insts("10.0.0.1:1"))
		synctest.Wait()
		time.Sleep(time.Minute)
		age(time.Minute) // a link that says nothing of itself
	})
}
