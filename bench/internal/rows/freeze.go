package rows

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/internal/floortest"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

const (
	freezeTTL = 2 * time.Second

	noticedFigure = "SIGCONT → its first message to etcd"
	againFigure   = "SIGCONT → listed again"
)

// frozenOrder tells a child where to register.
type frozenOrder struct{ Endpoint, Addr string }

// frozenInstance is a process with one instance.
func frozenInstance() rig.Ops {
	return rig.Ops{"register": rig.Op(func(o frozenOrder) (bool, error) {
		in, err := floortest.Open(floortest.Spec{
			Endpoint: o.Endpoint, Addr: o.Addr, LeaseTTL: freezeTTL, Interval: time.Second, Logger: rig.Quiet(),
		})
		if err != nil {
			return false, err
		}
		in.Monitor.Start()
		return true, nil
	})}
}

// Freeze measures how soon a process knows that it was frozen for longer than its lease lives.
func Freeze(e *rig.Env, row *report.Row) error {
	n, rounds, frozen := e.Reps(10, 1), e.Reps(2, 1), time.Duration(e.Reps(3, 2))*freezeTTL
	row.What = fmt.Sprintf("A process with one instance, whose lease lives %v, gets SIGSTOP, and SIGCONT %v later, when the lease has long ended; %d at a time, "+
		"woken one after another. Each has its connection to etcd through a proxy, which notes its first message: a request, or a renewal on an open stream; "+
		"what HTTP/2 does by itself is none. That it is listed again is what a bare watch of etcd has heard.", freezeTTL, frozen, n)
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
	l := keep(ctx, cli, floortest.NewAudit(etcd.DefaultRoot, namespace(), "user-svc", naming.Floor{}))
	all := make([]*sleeper, n)
	for i := range all {
		all[i] = &sleeper{addr: address(i)}
		if all[i].proxy, err = e.Proxy(node.Endpoint()); err != nil {
			return err
		}
		if all[i].child, err = e.Start("frozen"); err != nil {
			return err
		}
		if err := all[i].child.Ask("register", frozenOrder{all[i].proxy.Addr(), all[i].addr}, nil); err != nil {
			return err
		}
	}
	c := fmt.Sprintf("frozen for %v, lease of %v", frozen, freezeTTL)
	for round := range rounds {
		e.Log("round %d of %d", round+1, rounds)
		if err := asleep(l, all, frozen); err != nil {
			return err
		}
		for _, s := range all {
			noticed, again, err := s.wake(e, l)
			if err != nil {
				return err
			}
			row.Add(c, noticedFigure, musterSide, report.Nanoseconds, float64(noticed))
			row.Add(c, againFigure, musterSide, report.Nanoseconds, float64(again))
		}
	}
	row.AtMost(c, noticedFigure, musterSide, "max", float64(10*time.Millisecond))
	return nil
}

// asleep freezes all of them for so long, after which none is listed.
func asleep(l *ledger, all []*sleeper, d time.Duration) error {
	serving := func(n int) func(*floortest.Audit) bool {
		return func(a *floortest.Audit) bool { return a.Count(servesWell) == n }
	}
	if _, err := l.await("all serve", serving(len(all))); err != nil {
		return err
	}
	for _, s := range all {
		if err := s.child.Freeze(); err != nil {
			return err
		}
	}
	time.Sleep(d)
	_, err := l.await("all leases have ended", serving(0))
	return err
}

// sleeper is a process that is frozen and woken.
type sleeper struct {
	addr  string
	child *rig.Child
	proxy *rig.Proxy
}

func (s *sleeper) wake(e *rig.Env, l *ledger) (noticed, again time.Duration, err error) {
	ctx, cancel := context.WithTimeout(e, patience)
	defer cancel()
	s.proxy.Arm()
	start := time.Now()
	if err := s.child.Thaw(); err != nil {
		return 0, 0, err
	}
	first, err := s.proxy.First(ctx)
	if err != nil {
		return 0, 0, err
	}
	back, err := l.await(s.addr+" serves again", func(a *floortest.Audit) bool { return servesWell(a.Members[s.addr]) })
	return first.Sub(start), back.Sub(start), err
}
