package floortest

import (
	"testing"
	"time"
)

// What the design allows when a whole fleet fails in the same millisecond.
const (
	fleetSize    = 12
	failWithin   = time.Millisecond
	settleWithin = 100 * time.Millisecond
	settleFor    = 100 // requests
	// A round that settles late is the machine's fault where etcd took so long for one request; a transaction takes 2 ms.
	heldUp = settleWithin / 5
	// repeats is how many rounds for each that counts may be void: what else the machine does gets in between.
	repeats = 10
)

// round is what one common failure took.
type round struct {
	spread, slowest, settled, opened, healed time.Duration
	asked, askedInAll, askedToHeal           int64
}

// failTogether breaks everything at once and heals it again.
func (w *world) failTogether(t *testing.T, dep *Dependency) (r round) {
	t.Helper()
	before := w.Requests()
	w.Slowest()
	began := dep.BreakTogether(t.Context(), fleetSize, 2*interval)
	r.settled = w.wait(t, "all have decided", fleetSize, decided).Sub(began)
	r.asked, r.slowest = w.Requests()-before, w.Slowest()
	r.opened = w.wait(t, "all serve degraded", fleetSize, degraded).Sub(began)
	r.askedInAll = w.Requests() - before
	r.spread = dep.Spread()

	before, began = w.Requests(), time.Now()
	dep.Set(false)
	r.healed = w.wait(t, "all serve again", fleetSize, serves).Sub(began)
	r.askedToHeal = w.Requests() - before
	return r
}

// TestAllFailTogether: nobody withdraws below the floor; what has withdrawn serves again, degraded, and everything serves
// plainly after the recovery.
func TestAllFailTogether(t *testing.T) {
	n, measured := repetitions(t)
	dep := new(Dependency)
	w := newWorld(t, fleetSize, half(), dep)
	var rounds []round
	void := 0
	for len(rounds) < n {
		r := w.failTogether(t, dep)
		if r.spread <= slack(measured, failWithin) && (r.settled <= settleWithin || r.slowest < heldUp) {
			rounds = append(rounds, r)
			continue
		}
		t.Logf("void: failed within %v, settled after %v, the slowest request took %v", r.spread, r.settled, r.slowest)
		if void++; void > repeats*n {
			t.Fatalf("%d rounds are void, and %d are not", void, len(rounds))
		}
	}
	t.Logf("floor: %d times %d of %d failed within %v (%d rounds more are void), settled after %v, for %v requests",
		n, fleetSize, fleetSize, figures(each(rounds, func(r round) time.Duration { return r.spread })), void,
		figures(each(rounds, func(r round) time.Duration { return r.settled })), figures(each(rounds, func(r round) int64 { return r.asked })))
	t.Logf("all serving, degraded:  %v, %v requests", figures(each(rounds, func(r round) time.Duration { return r.opened })),
		figures(each(rounds, func(r round) int64 { return r.askedInAll })))
	t.Logf("healed, all serving:    %v, %v requests (probes run every %v)", figures(each(rounds, func(r round) time.Duration { return r.healed })),
		figures(each(rounds, func(r round) int64 { return r.askedToHeal })), interval)
	for i, r := range rounds {
		if most := slack(measured, int64(settleFor)); r.asked > most {
			t.Errorf("repetition %d: settled for %d requests, at most %d", i+1, r.asked, most)
		}
		if measured && r.settled > settleWithin {
			t.Errorf("repetition %d: settled after %v, at most %v; the slowest request took %v", i+1, r.settled, settleWithin, r.slowest)
		}
		if most := slack(measured, 2*interval); r.opened > most {
			t.Errorf("repetition %d: all served again after %v, at most %v", i+1, r.opened, most)
		}
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
		dep.Await(t, 3*fleetSize) // a rate needs a time: each probe runs once an interval
		return float64(w.Requests()-before) / time.Since(began).Seconds()
	}
	idle := over()
	dep.BreakTogether(t.Context(), fleetSize, 2*interval)
	w.wait(t, "all serve degraded", fleetSize, degraded)
	held := over()
	t.Logf("floor: %d instances ask etcd for %.1f requests/s while they serve, and %.1f while they are held", fleetSize, idle, held)
	if idle > 1 {
		t.Errorf("%.1f requests/s while nothing changes", idle)
	}
	if held > 2*fleetSize { // each looks once a second or more rarely, after the first look
		t.Errorf("%.1f requests/s while held", held)
	}
}
