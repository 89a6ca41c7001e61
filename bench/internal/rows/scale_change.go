package rows

import (
	"fmt"
	"time"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/naming"
)

// bursts is how many are counted.
func (s scaleRun) bursts() int {
	switch {
	case s.balancer == consistent: // one change takes seconds, and is counted alone
		return 0
	case s.n == 10000 && (s.balancer == roundRobin || s.balancer == recommended):
		return 2
	default:
		return 1
	}
}

// turn publishes or withdraws the instance.
func (s scaleRun) turn(in bool) error {
	if in {
		return s.m.Publish(s.e, naming.Status{State: "serving"}, false)
	}
	_, err := s.m.Withdraw(s.e, naming.Floor{}, naming.Status{State: "withdrawn"}, naming.Status{State: "held"})
	return err
}

// change makes the instance come or go, and returns when picks are made of the new list.
func (s scaleRun) change(child *rig.Child, in bool) error {
	if err := s.turn(in); err != nil {
		return err
	}
	want := s.n
	if in {
		want++
	}
	return child.Ask("await", want, nil)
}

func (s scaleRun) pushes(child *rig.Child) error {
	// A pair of changes alone tells what a rebuild takes, and with it how far changes must be apart to stay changes of their own.
	var rebuild time.Duration
	for _, in := range []bool{true, false} {
		cost, err := s.window(child, func() error {
			if err := s.change(child, in); err != nil {
				return err
			}
			time.Sleep(s.quick(told))
			return nil
		})
		if err != nil {
			return err
		}
		if cost.Pushes != 1 {
			return fmt.Errorf("one change caused %d pushes", cost.Pushes)
		}
		rebuild = max(rebuild, cost.Rebuild)
		if s.bursts() > 0 {
			s.add(aloneCPU, aloneBytes, cost, 1)
			continue
		}
		s.add(changeCPU, changeBytes, cost, 1)
		s.row.Add(s.c, rebuildFigure, musterSide, report.Nanoseconds, float64(cost.Rebuild))
	}
	for range s.bursts() {
		cost, err := s.burst(child, max(20*time.Millisecond, 4*rebuild))
		if err != nil {
			return err
		}
		s.add(changeCPU, changeBytes, cost, burst)
		s.row.Add(s.c, rebuildFigure, musterSide, report.Nanoseconds, float64(cost.Rebuild)/burst)
	}
	return nil
}

// burst returns what ten changes cost that caused ten pushes. On a busy machine two may come together, which costs less
// than two; so they are tried again.
func (s scaleRun) burst(child *rig.Child, gap time.Duration) (cost spent, err error) {
	for range 5 {
		if cost, err = s.window(child, func() error {
			for i := range burst {
				if err := s.turn(i%2 == 0); err != nil {
					return err
				}
				time.Sleep(gap) // asking the process would cost it something
			}
			time.Sleep(s.quick(2 * told))
			return nil
		}); err != nil || cost.Pushes == burst {
			return cost, err
		}
		s.e.Log("%d changes caused %d pushes; once more", burst, cost.Pushes)
		gap *= 2
	}
	return cost, fmt.Errorf("%d changes caused %d pushes", burst, cost.Pushes)
}

// window returns what the process used while something was done.
func (s scaleRun) window(child *rig.Child, do func() error) (cost spent, err error) {
	if err := child.Ask("begin", nil, nil); err != nil {
		return cost, err
	}
	if err := do(); err != nil {
		return cost, err
	}
	err = child.Ask("end", nil, &cost)
	return cost, err
}

// add notes what each of some changes cost, without what the time itself did.
func (s scaleRun) add(cpu, bytes string, cost spent, changes float64) {
	part := float64(cost.Took) / float64(s.still.Took)
	s.row.Add(s.c, cpu, musterSide, report.Nanoseconds, (float64(cost.CPU)-part*float64(s.still.CPU))/changes)
	s.row.Add(s.c, bytes, musterSide, report.Bytes, (float64(cost.Bytes)-part*float64(s.still.Bytes))/changes)
}

// nothing is what the process uses while nothing changes.
func (s scaleRun) nothing(child *rig.Child) (spent, error) {
	return s.window(child, func() error { time.Sleep(s.quick(fewSecs)); return nil })
}

// quick shortens a wait in a smoke.
func (s scaleRun) quick(d time.Duration) time.Duration {
	if s.e.Smoke {
		return d / 25
	}
	return d
}

func (s scaleRun) refreshes(child *rig.Child) error {
	refresh := func(want int, cpu, bytes string, warm bool) error {
		var cost spent
		if err := child.Ask("refresh", want, &cost); err != nil || warm {
			return err
		}
		s.row.Add(s.c, cpu, peer, report.Nanoseconds, float64(cost.CPU))
		s.row.Add(s.c, bytes, peer, report.Bytes, float64(cost.Bytes))
		return nil
	}
	reps := s.e.Reps(5, 2)
	if s.balancer == consistent {
		reps = 1
	}
	for rep := range reps + 1 {
		warm := rep == 0 && reps > 1
		for _, in := range []bool{true, false} {
			want := s.n
			if in {
				want++
			}
			if err := s.turn(in); err != nil {
				return err
			}
			if err := refresh(want, changeCPU, changeBytes, warm); err != nil {
				return err
			}
			if err := refresh(want, noneCPU, noneBytes, warm); err != nil {
				return err
			}
		}
	}
	return nil
}
