package rows

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/kitexext"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

const (
	breakFigure   = "break → verdict (set by intervals)"
	verdictFigure = "failing return → verdict"
	eventFigure   = "failing return → event in etcd's watch"
	pickFigure    = "event → last pick"
	wholeFigure   = "failing return → last pick"
)

// dependency is what a probe looks at.
type dependency struct {
	broken   atomic.Bool
	returned atomic.Int64 // when the check last failed
}

func (d *dependency) check(context.Context) error {
	if !d.broken.Load() {
		return nil
	}
	d.returned.Store(now())
	return errors.New("broken")
}

// Detect measures each part of the way from a broken dependency to the last call.
func Detect(e *rig.Env, row *report.Row) error {
	row.What = "Two instances of a service, each with a gate and a probe of its own, and a client that calls without a pause. A dependency of one is broken: " +
		"its check fails from then on, at once. How long it takes until the probe has its verdict is set by its interval and its threshold of 3 failures, " +
		"and stated apart. From the return of the last check that it took, the clock runs to the verdict, to the moment when a bare watch of " +
		"etcd hears of the withdrawal, and to the last pick of that instance. Then the dependency is healed. " +
		"A usual stack has nothing to stand beside this: with registry-etcd alone the instance is called for ever."
	for _, s := range []struct {
		interval  time.Duration
		full, few int
	}{{200 * time.Millisecond, 20, 2}, {health.DefaultInterval, 2, 0}} {
		n := e.Reps(s.full, s.few)
		if n == 0 {
			continue
		}
		e.Log("probes every %v", s.interval)
		if err := detect(e, row, s.interval, n); err != nil {
			return err
		}
	}
	return nil
}

// sick is a process's wiring whose dependency can be broken.
func sick(e *rig.Env, endpoint, addr string, every time.Duration) (*patient, error) {
	s := &patient{addr: addr}
	m, err := muster.New(e, muster.Config{
		Namespace: namespace(), Etcd: etcd.Config{Endpoints: []string{endpoint}}, Floor: naming.Percent(50), Logger: rig.Quiet(),
	}, health.Probe{Name: "db", Interval: every, Check: s.check})
	if err != nil {
		return nil, err
	}
	s.m = m
	_, err = m.Gate.Register(gate.Spec{Service: "svc-000", Advertise: addr})
	return s, err
}

func detect(e *rig.Env, row *report.Row, every time.Duration, reps int) error {
	node, err := e.Etcd()
	if err != nil {
		return err
	}
	defer node.Kill()
	cli, err := bareClient(node.Endpoint())
	if err != nil {
		return err
	}
	defer cli.Close()
	key := servingPrefix + "/svc-000/" + toggled
	events := make(chan heard, 64)
	ctx, cancel := context.WithCancel(e)
	defer cancel()
	go func() {
		for r := range cli.Watch(ctx, key) {
			at := now()
			for _, ev := range r.Events {
				what := "put"
				if ev.Type == clientv3.EventTypeDelete {
					what = "delete"
				}
				events <- heard{at, what}
			}
		}
	}()
	well, err := sick(e, node.Endpoint(), "10.0.0.1:8888", every)
	if err != nil {
		return err
	}
	defer well.m.Close()
	ill, err := sick(e, node.Endpoint(), toggled, every)
	if err != nil {
		return err
	}
	defer ill.m.Close()
	u, err := newUpstream("svc-000", toggled, kitexext.WithResolver(well.m.Catalog))
	if err != nil {
		return err
	}
	if err := both(e, cli); err != nil {
		return err
	}
	if err := u.call(e); err != nil {
		return err
	}
	stop := load([]*upstream{u})
	for i := range reps + 1 {
		warm := i == 0
		if warm && reps < 5 {
			continue // each takes too long to throw one away
		}
		if err := once(e, row, fmt.Sprintf("probe every %v, threshold 3", every), ill, u, events, warm); err != nil {
			_ = stop()
			return err
		}
	}
	return stop()
}

// both waits until both instances are listed.
func both(e *rig.Env, cli *clientv3.Client) error {
	limit := time.After(patience)
	for tick := time.Tick(10 * time.Millisecond); ; {
		r, err := cli.Get(e, servingPrefix+"/svc-000/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			return err
		}
		if r.Count == 2 {
			return nil
		}
		select {
		case <-tick:
		case <-limit:
			return errors.New("the two instances were never listed")
		}
	}
}

func once(e *rig.Env, row *report.Row, c string, ill *patient, u *upstream, events chan heard, warm bool) error {
	ctx, cancel := context.WithTimeout(e, patience)
	defer cancel()
	u.arm()
	if _, err := u.awaitFirst(ctx); err != nil {
		return err
	}
	for len(events) > 0 {
		<-events
	}
	start := now()
	ill.broken.Store(true)
	verdict, err := ill.until(ctx, health.StatusFailing)
	if err != nil {
		return err
	}
	failed := ill.returned.Load()
	var event int64
	select {
	case h := <-events: // the mark
		event = h.at
	case <-ctx.Done():
		return errors.New("never withdrawn")
	}
	last, err := u.awaitLast(ctx, settleFor)
	if err != nil {
		return err
	}
	ill.broken.Store(false)
	if _, err := ill.until(ctx, health.StatusOK); err != nil {
		return err
	}
	if warm {
		return nil
	}
	if last < failed { // the machine gave the caller no time
		return nil
	}
	row.Add(c, breakFigure, musterSide, report.Nanoseconds, float64(verdict-start))
	row.Add(c, verdictFigure, musterSide, report.Nanoseconds, float64(verdict-failed))
	row.Add(c, eventFigure, musterSide, report.Nanoseconds, float64(event-failed))
	row.Add(c, pickFigure, musterSide, report.Nanoseconds, float64(last-event))
	row.Add(c, wholeFigure, musterSide, report.Nanoseconds, float64(last-failed))
	return nil
}

// patient is one instance with its dependency.
type patient struct {
	dependency
	addr string
	m    *muster.Muster
}

// until returns when the probes say so.
func (p *patient) until(ctx context.Context, want health.Status) (int64, error) {
	for {
		r, changed := p.m.Health.Observe()
		if r.Status == want {
			return now(), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, fmt.Errorf("the probes say %v, want %v", r.Status, want)
		}
	}
}
