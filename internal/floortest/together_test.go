package floortest

import (
	"testing"
	"time"
)

// What the design allows when a whole fleet fails in the same millisecond.
const (
	fleetSize    = 12
	settleWithin = 100 * time.Millisecond
	settleFor    = 100 // requests
)

// TestAllFailTogether: nobody withdraws below the floor; what has withdrawn serves again, degraded, and everything serves
// plainly after the recovery.
func TestAllFailTogether(t *testing.T) {
	n, measured := repetitions(t)
	dep := new(Dependency)
	w := newWorld(t, fleetSize, half(), dep)
	var spread, settled, opened, healed []time.Duration
	var asked, askedInAll, askedToHeal []int64
	for range n {
		before := w.Requests()
		began := dep.BreakTogether(t.Context(), fleetSize, 2*interval)
		settled = append(settled, w.wait(t, "all have decided", fleetSize, decided).Sub(began))
		asked = append(asked, w.Requests()-before)
		opened = append(opened, w.wait(t, "all serve degraded", fleetSize, degraded).Sub(began))
		askedInAll = append(askedInAll, w.Requests()-before)
		spread = append(spread, dep.Spread())

		before, began = w.Requests(), time.Now()
		dep.Set(false)
		healed = append(healed, w.wait(t, "all serve again", fleetSize, serves).Sub(began))
		askedToHeal = append(askedToHeal, w.Requests()-before)
	}
	t.Logf("%d times %d of %d failed within %v", n, fleetSize, fleetSize, figures(spread))
	t.Logf("each withdrawn or held: %v, %v requests", figures(settled), figures(asked))
	t.Logf("all serving, degraded:  %v, %v requests", figures(opened), figures(askedInAll))
	t.Logf("healed, all serving:    %v, %v requests (probes run every %v)", figures(healed), figures(askedToHeal), interval)
	for i := range n {
		if most := slack(measured, int64(settleFor)); asked[i] > most {
			t.Errorf("repetition %d: settled for %d requests, at most %d", i+1, asked[i], most)
		}
		if most := slack(measured, 2*interval); opened[i] > most {
			t.Errorf("repetition %d: all served again after %v, at most %v", i+1, opened[i], most)
		}
	}
	if measured && median(settled) > settleWithin {
		t.Errorf("settled after %v (median), at most %v", median(settled), settleWithin)
	}
	w.judge(t)
}

// TestRequestsWhileHeld: a fleet that is kept serving asks little, and one that serves asks nothing.
func TestRequestsWhileHeld(t *testing.T) {
	t.Parallel()
	dep := new(Dependency)
	w := newWorld(t, fleetSize, half(), dep)
	over := func() float64 {
		before, began := w.Requests(), time.Now()
		<-time.After(2 * time.Second) // a rate needs a time
		return float64(w.Requests()-before) / time.Since(began).Seconds()
	}
	idle := over()
	dep.BreakTogether(t.Context(), fleetSize, 2*interval)
	w.wait(t, "all serve degraded", fleetSize, degraded)
	held := over()
	t.Logf("%d instances ask etcd for %.1f requests/s while they serve, and %.1f while they are held", fleetSize, idle, held)
	if idle > 1 {
		t.Errorf("%.1f requests/s while nothing changes", idle)
	}
	if held > 2*fleetSize { // each looks once a second or more rarely, after the first look
		t.Errorf("%.1f requests/s while held", held)
	}
}
