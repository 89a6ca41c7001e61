package kitexext

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/loadbalance"
)

// rebuilding returns a balancer of 200 instances that has just begun a rebuild of 50 ms, and the list that it is made of.
func rebuilding(t *testing.T) (*bench, []*instanceOf, discovery.Result) {
	t.Helper()
	x := newBench(t, &slow{Loadbalancer: loadbalance.NewWeightedBalancer(), takes: 50 * time.Millisecond})
	list := many(200, 3)
	x.w.set("echo", list...)
	old := x.result()
	x.picks(old, 1)
	list = slices.Clone(list)
	list[199] = at(list[199].Addr)
	list[199].Weight = 7
	x.w.set("echo", list...)
	synctest.Wait()
	return x, list, old
}

// neverPicked draws until a balancer that knows nothing better would have picked the address many times.
func neverPicked(t *testing.T, x *bench, old discovery.Result, addr string) {
	t.Helper()
	for range 4000 {
		if got := x.b.GetPicker(old).Next(t.Context(), nil).Address().String(); got == addr {
			t.Fatalf("picked %s, which has left", addr)
		}
	}
}

func TestWhoLeavesDuringARebuildIsNotPicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, list, old := rebuilding(t)
		x.w.set("echo", list[1:]...)
		synctest.Wait()
		neverPicked(t, x, old, list[0].Addr)
		time.Sleep(51 * time.Millisecond) // done; the next one has to wait
		synctest.Wait()
		neverPicked(t, x, old, list[0].Addr)
		x.b.release(nil)
	})
}

// TestWhoChangesAndLeavesIsNotPicked: what the picker holds is an instance of before the change.
func TestWhoChangesAndLeavesIsNotPicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, list, old := rebuilding(t)
		time.Sleep(51 * time.Millisecond)
		synctest.Wait()
		changed := slices.Clone(list)
		changed[0] = at(list[0].Addr)
		changed[0].Weight, changed[0].Degraded = 3, true
		x.w.set("echo", changed...)
		synctest.Wait()
		x.w.set("echo", changed[1:]...)
		synctest.Wait()
		neverPicked(t, x, old, list[0].Addr)
		x.b.release(nil)
	})
}
