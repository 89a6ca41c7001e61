package rows

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/internal/floortest"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

const (
	floorFleet    = 12
	floorInterval = 500 * time.Millisecond

	spreadFigure  = "first failure → last failure"
	settledFigure = "failure → each withdrawn or held"
	settledAsked  = "requests until then"
	openFigure    = "failure → all serving again, degraded"
	openAsked     = "requests until all serve again"
	belowFigure   = "withdrawals below the floor"
)

// Floor measures how a fleet settles that fails as a whole.
func Floor(e *rig.Env, row *report.Row) error {
	row.What = fmt.Sprintf("%d instances of a service, each with a driver, a gate and a probe of its own, all in one process, and a floor of 50 %%. "+
		"Their probes look at one dependency, wait for each other, and fail together. The clock runs from there until a bare watch of etcd has heard that each "+
		"has withdrawn or is held, which is settled; then until all serve again, degraded, since more are unfit than may be. Requests are etcd's own count of "+
		"those that are no streams, read right after that moment, so that a few later ones are in. Then the dependency is healed. The watch judges each revision: "+
		"a withdrawal that left fewer than half serving would be counted.", floorFleet)
	node, err := e.Etcd()
	if err != nil {
		return err
	}
	cli, err := bareClient(node.Endpoint())
	if err != nil {
		return err
	}
	defer cli.Close()
	ctx, cancel := context.WithCancel(e)
	defer cancel()
	floor := naming.Percent(50)
	f := &fleet{node: node, dep: new(floortest.Dependency), l: keep(ctx, cli, floortest.NewAudit(etcd.DefaultRoot, namespace(), "user-svc", floor))}
	for i := range floorFleet {
		in, err := floortest.Open(floortest.Spec{
			Endpoint: node.Endpoint(), Addr: address(i), Dependency: f.dep, Floor: floor, Interval: floorInterval, Logger: rig.Quiet(),
		})
		if err != nil {
			return err
		}
		defer in.Close()
		f.all = append(f.all, in)
	}
	return f.run(e, row)
}

// fleet are instances that share a dependency.
type fleet struct {
	node *rig.Node
	dep  *floortest.Dependency
	l    *ledger
	all  []*floortest.Instance
}

// What a member may be.
func servesWell(m floortest.Member) bool {
	return m.Serving && !m.Degraded && !m.Unfit && m.State == "serving"
}

func servesHeld(m floortest.Member) bool {
	return m.Serving && m.Degraded && m.Unfit && m.State == "held"
}

func hasDecided(m floortest.Member) bool {
	return m.Unfit && (m.State == "held" || m.State == "withdrawn")
}

func (f *fleet) wait(what string, so func(floortest.Member) bool) (time.Time, error) {
	return f.l.await("all are "+what, func(a *floortest.Audit) bool { return a.All(floorFleet, so) })
}

func (f *fleet) run(e *rig.Env, row *report.Row) error {
	for _, in := range f.all { // all at once, so that their probes run in step
		in.Monitor.Start()
	}
	if _, err := f.wait("serving", servesWell); err != nil {
		return err
	}
	reps := e.Reps(12, 1)
	for i := range reps + 1 {
		e.Log("failure %d of %d", i, reps)
		if err := f.failOnce(e, row, i == 0 && !e.Smoke); err != nil {
			return err
		}
	}
	c := fmt.Sprintf("%d of %d fail", floorFleet, floorFleet)
	withdrawals, below := f.l.breaches()
	if withdrawals == 0 {
		return errors.New("nobody ever withdrew: this proves nothing")
	}
	for _, b := range below {
		row.Note("Below the floor: %s.", b)
	}
	row.Add(c, belowFigure, musterSide, report.Count, float64(len(below)))
	row.AtMost(c, settledFigure, musterSide, "p50", float64(100*time.Millisecond))
	row.AtMost(c, settledAsked, musterSide, "max", 100)
	row.AtMost(c, belowFigure, musterSide, "max", 0)
	row.Note("%d withdrawals were judged.", withdrawals)
	return nil
}

func (f *fleet) failOnce(e *rig.Env, row *report.Row, warm bool) error {
	before, err := f.node.Metrics()
	if err != nil {
		return err
	}
	began := f.dep.BreakTogether(e, floorFleet, 2*floorInterval)
	settled, err := f.wait("withdrawn or held", hasDecided)
	if err != nil {
		return err
	}
	asked, err := f.node.Metrics()
	if err != nil {
		return err
	}
	open, err := f.wait("serving, degraded", servesHeld)
	if err != nil {
		return err
	}
	askedInAll, err := f.node.Metrics()
	if err != nil {
		return err
	}
	spread := f.dep.Spread()
	f.dep.Set(false)
	if _, err := f.wait("serving", servesWell); err != nil || warm {
		return err
	}
	c := fmt.Sprintf("%d of %d fail", floorFleet, floorFleet)
	row.Add(c, spreadFigure, musterSide, report.Nanoseconds, float64(spread))
	row.Add(c, settledFigure, musterSide, report.Nanoseconds, float64(settled.Sub(began)))
	row.Add(c, settledAsked, musterSide, report.Count, asked.Unary()-before.Unary())
	row.Add(c, openFigure, musterSide, report.Nanoseconds, float64(open.Sub(began)))
	row.Add(c, openAsked, musterSide, report.Count, askedInAll.Unary()-before.Unary())
	return nil
}
