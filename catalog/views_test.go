package catalog_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/catalog"
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
