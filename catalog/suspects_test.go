package catalog_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/naming"
)

func TestSuspectsStayWhileTheyAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, n := newFake(), new(network)
		c := open(t, f, catalog.Options{Dial: n.dial})
		f.set("svc", insts("a:1", "b:1", "c:1"))
		want(t, c, "svc", "a:1 b:1 c:1")
		n.set("b:1", true)
		f.set("svc", nil) // the registry forgot
		v := want(t, c, "svc", "a:1 c:1")
		if addrs(v.Suspects) != "a:1 c:1" {
			t.Errorf("suspects %q", addrs(v.Suspects))
		}
		n.set("a:1", true)
		time.Sleep(6 * time.Second)
		want(t, c, "svc", "c:1")
		f.set("svc", insts("c:1", "d:1"))
		if v = want(t, c, "svc", "c:1 d:1"); len(v.Suspects) != 0 {
			t.Errorf("suspects %q", addrs(v.Suspects))
		}
	})
}

func TestSuspectsAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, n := newFake(), new(network)
		c := open(t, f, catalog.Options{Dial: n.dial, SuspectFor: time.Minute})
		f.set("svc", insts("a:1"))
		want(t, c, "svc", "a:1")
		f.set("svc", nil)
		time.Sleep(59 * time.Second)
		want(t, c, "svc", "a:1")
		if n.dials > 150 {
			t.Errorf("%d dials of one suspect in a minute", n.dials)
		}
		time.Sleep(time.Second)
		want(t, c, "svc", "")
		dials := n.dials
		time.Sleep(time.Minute)
		if n.dials != dials {
			t.Error("dialed after it was given up")
		}
	})
}

func TestLeaversGoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, n := newFake(), new(network)
		c := open(t, f, catalog.Options{Dial: n.dial})
		f.set("svc", insts("a:1", "b:1", "c:1"))
		want(t, c, "svc", "a:1 b:1 c:1")
		f.set("svc", nil, "a:1", "b:1", "c:1")
		want(t, c, "svc", "")
		if n.dials != 0 {
			t.Errorf("%d dials of leavers", n.dials)
		}
	})
}

func TestASuspectThatLeavesGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, n := newFake(), new(network)
		c := open(t, f, catalog.Options{Dial: n.dial})
		f.set("svc", insts("a:1", "b:1"))
		want(t, c, "svc", "a:1 b:1")
		f.set("svc", nil)
		want(t, c, "svc", "a:1 b:1")
		f.set("svc", nil, "a:1")
		want(t, c, "svc", "b:1")
	})
}

func TestNoSuspects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, n := newFake(), new(network)
		c := open(t, f, catalog.Options{Dial: n.dial, NoSuspects: true})
		f.set("svc", insts("a:1"))
		want(t, c, "svc", "a:1")
		f.set("svc", nil)
		want(t, c, "svc", "")
		if n.dials != 0 {
			t.Errorf("%d dials", n.dials)
		}
	})
}

// A thousand suspects that swallow every packet occupy a few places for as long as it takes, and Close doesn't wait.
func TestDialsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, n := newFake(), &network{hangs: true}
		c := open(t, f, catalog.Options{Dial: n.dial, Dials: 4, SuspectFor: time.Hour})
		var list []*naming.Instance
		for i := range 1000 {
			list = append(list, inst(fmt.Sprintf("10.0.0.1:%04d", i+1000)))
		}
		f.set("svc", list)
		synctest.Wait()
		if _, err := c.Lookup(t.Context(), "svc"); err != nil {
			t.Fatal(err)
		}
		f.set("svc", nil)
		time.Sleep(100*time.Second + time.Millisecond)
		synctest.Wait()
		v, _ := c.Lookup(t.Context(), "svc")
		if n.peak != 4 || n.dials != 204 || len(v.Instances) != 800 {
			t.Errorf("peak %d, %d dials, %d left; want 4, 204, 800", n.peak, n.dials, len(v.Instances))
		}
		start := time.Now()
		_ = c.Close()
		if time.Since(start) != 0 {
			t.Errorf("Close took %v", time.Since(start))
		}
	})
}
