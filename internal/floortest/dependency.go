package floortest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// Dependency is what the critical probes of instances look at. It can fail for all of them in the same moment.
type Dependency struct {
	// mu guards everything that follows.
	mu     sync.Mutex
	broken bool
	// While turn is set, probes gather until there are enough of them, and then return together.
	turn    chan struct{}
	wanted  int
	arrived int
	first   time.Time // when the first and the last of them returned
	last    time.Time
	// runs is how many checks there have been, and ran is closed and replaced at each.
	runs int
	ran  chan struct{}
}

var errBroken = errors.New("the dependency is broken")

// Check is a probe's check.
func (d *Dependency) Check(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.runs++
	if d.ran != nil {
		close(d.ran)
		d.ran = nil
	}
	if turn := d.turn; turn != nil {
		if d.arrived++; d.arrived == d.wanted {
			d.turnNow()
		}
		d.mu.Unlock()
		select {
		case <-turn:
		case <-ctx.Done():
		}
		d.mu.Lock()
		now := time.Now()
		if d.first.IsZero() {
			d.first = now
		}
		d.last = now
	}
	if d.broken {
		return errBroken
	}
	return nil
}

// Await returns after that many more checks, of all probes together.
func (d *Dependency) Await(t testing.TB, more int) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for until := -1; ; {
		d.mu.Lock()
		if until < 0 {
			until = d.runs + more
		}
		runs := d.runs
		if d.ran == nil {
			d.ran = make(chan struct{})
		}
		ran := d.ran
		d.mu.Unlock()
		if runs >= until {
			return
		}
		select {
		case <-ran:
		case <-late.C:
			t.Fatalf("%d checks are missing", until-runs)
		}
	}
}

// Set breaks or heals the dependency; each probe finds out at its own next run.
func (d *Dependency) Set(broken bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = broken
}

// BreakTogether breaks it for n probes at once: their next runs wait for each other, for most at most.
func (d *Dependency) BreakTogether(ctx context.Context, n int, most time.Duration) (at time.Time) {
	d.mu.Lock()
	turn := make(chan struct{})
	d.turn, d.wanted, d.arrived, d.first, d.last = turn, n, 0, time.Time{}, time.Time{}
	d.mu.Unlock()
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-turn:
	case <-late.C:
		d.mu.Lock()
		d.turnNow()
		d.mu.Unlock()
	case <-ctx.Done():
	}
	return time.Now()
}

// turnNow breaks the dependency and lets those that have gathered go.
func (d *Dependency) turnNow() {
	if d.turn != nil {
		d.broken = true
		close(d.turn)
		d.turn = nil
	}
}

// Spread is the time between the first and the last failure that BreakTogether made.
func (d *Dependency) Spread() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last.Sub(d.first)
}
