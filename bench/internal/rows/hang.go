package rows

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	alex "github.com/alexliesenfeld/health"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/health"
)

const hungFigure = "goroutines more than before it hung"

// hang counts what a check holds that hangs for many intervals.
func hang(e *rig.Env, row *report.Row) error {
	const interval = time.Millisecond
	intervals := e.Reps(1000, 50)
	c := fmt.Sprintf("a check that hangs for %d intervals of %v", intervals, interval)
	for _, side := range []string{musterSide, alexSide} {
		h := &hanging{release: make(chan struct{}), began: make(chan struct{}, 1)}
		stop, err := h.watch(side, interval)
		if err != nil {
			return err
		}
		for range 10 { // a check is running, or none: the most is what there is without a hang
			time.Sleep(interval)
			h.before = max(h.before, runtime.NumGoroutine()-int(h.running.Load()))
		}
		h.on.Store(true)
		<-h.began
		most := 0
		for range 10 {
			time.Sleep(time.Duration(intervals) * interval / 10)
			most = max(most, runtime.NumGoroutine()-h.before)
		}
		row.Add(c, hungFigure, side, report.Count, float64(most))
		close(h.release)
		stop()
	}
	row.AtMost(c, hungFigure, musterSide, "max", 1)
	return nil
}

// hanging is a check that hangs from some moment on, whatever its context says.
type hanging struct {
	on      atomic.Bool
	running atomic.Int64
	release chan struct{}
	began   chan struct{}
	before  int
}

func (h *hanging) check(context.Context) error {
	h.running.Add(1)
	defer h.running.Add(-1)
	if h.on.Load() {
		select {
		case h.began <- struct{}{}:
		default:
		}
		<-h.release
	}
	return nil
}

// watch has one side run the check in the background.
func (h *hanging) watch(side string, interval time.Duration) (stop func(), err error) {
	if side == alexSide {
		c := alex.NewChecker(alex.WithPeriodicCheck(interval, 0, alex.Check{Name: "redis", Check: h.check, Timeout: interval}))
		return c.Stop, nil
	}
	m, err := health.New(health.Options{Logger: rig.Quiet()}, health.Probe{Name: "redis", Interval: interval, Check: h.check})
	if err != nil {
		return nil, err
	}
	m.Start()
	return func() { _ = m.Close() }, nil
}
