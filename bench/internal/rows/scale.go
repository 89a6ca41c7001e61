package rows

import (
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/naming"
)

const (
	firstFigure   = "first view: time"
	liveFigure    = "first view: live memory per instance"
	changeCPU     = "one change: CPU"
	changeBytes   = "one change: garbage"
	rebuildFigure = "one change: of it Kitex's rebuild"
	noneCPU       = "nothing changes, 5 s: CPU"
	noneBytes     = "nothing changes, 5 s: garbage"

	fewSecs = 5
)

// recommended is the balancer that the documentation names for a large service with unequal weights.
const recommended = alias

// Scale measures a service of many instances.
func Scale(e *rig.Env, row *report.Row) error {
	row.What = "A process has one client of a service of 100, 1,000 or 10,000 instances, with equal weights or with weights of 1 to 10. One " +
		"instance more comes and goes, by Muster's own driver in another process. For Muster a change is a publication or a withdrawal, and costs " +
		"what the process uses for ten of them, one after another, divided by ten; nothing changing, what it uses in 5 s. For registry-etcd it is one " +
		"refresh of Kitex's cache, which happens every 5 s whether something has changed or not. CPU is the process's, the " +
		"collection of garbage in it; the time that etcd takes for its answers is not. Live memory is what the heap holds more after the first call than before."
	row.Peers = append(row.Peers, "registry-etcd v0.3.0 with the same balancer, each refresh being the one that Kitex's ticker would make (lbcache's Balancer.Refresh).")
	sizes := []int{100, 1000, 10000}
	if e.Smoke {
		sizes = sizes[:1]
	}
	for _, n := range sizes {
		for _, equal := range []bool{true, false} {
			balancers := []string{roundRobin}
			if n == 10000 || e.Smoke {
				balancers = allBalancers
			}
			for _, b := range balancers {
				e.Log("%s", scaleCase(n, equal, b))
			}
			if err := scaleOf(e, row, n, equal, balancers); err != nil {
				return fmt.Errorf("%d instances, equal weights %v: %w", n, equal, err)
			}
		}
	}
	return nil
}

func scaleCase(n int, equal bool, balancer string) string {
	weights := "equal"
	if !equal {
		weights = "unequal"
	}
	return fmt.Sprintf("%d %s, %s", n, weights, balancer)
}

func scaleOf(e *rig.Env, row *report.Row, n int, equal bool, balancers []string) error {
	node, err := e.Etcd()
	if err != nil {
		return err
	}
	defer node.Kill()
	if err := crowd(e, node, n, equal); err != nil {
		return err
	}
	d, err := newDriver(node.Endpoint())
	if err != nil {
		return err
	}
	defer d.Close()
	in, err := naming.Instance{Service: "big-svc", Addr: "10.1.19.200:9999", ID: "toggled", Weight: 10}.Normalize()
	if err != nil {
		return err
	}
	m, err := d.Join(e, naming.Claim{Instance: in, Status: naming.Status{State: "waiting"}})
	if err != nil {
		return err
	}
	for _, b := range balancers {
		c := scaleCase(n, equal, b)
		changes := e.Reps(5, 2)
		if b == consistent {
			changes = 1 // one takes seconds
		}
		s := scaleRun{e, row, c, n, changes, m}
		for i := range e.Reps(scaleOpens(b), 1) {
			for _, side := range []string{musterSide, peer} {
				if err := s.side(side, scaleOrder{side, node.Endpoint(), b}, i == 0 && equal && b == roundRobin); err != nil {
					return fmt.Errorf("%s, %s: %w", b, side, err)
				}
			}
		}
		s.compare(n == 10000, equal, b)
	}
	return nil
}

// scaleOpens is how many processes are measured, one after another.
func scaleOpens(balancer string) int {
	if balancer == roundRobin {
		return 2
	}
	return 1
}

type scaleRun struct {
	e       *rig.Env
	row     *report.Row
	c       string
	n       int
	changes int
	m       naming.Membership
}

func (s scaleRun) side(side string, o scaleOrder, nothing bool) error {
	child, err := s.e.Start("scale-client")
	if err != nil {
		return err
	}
	defer child.Kill()
	var first opened
	if err := child.Ask("open", o, &first); err != nil {
		return err
	}
	if o.Balancer == roundRobin || o.Balancer == consistent { // the others' are the same as the first's
		s.row.Add(s.c, firstFigure, side, report.Nanoseconds, float64(first.Took))
		s.row.Add(s.c, liveFigure, side, report.Bytes, float64(first.Live)/float64(s.n))
	}
	if side == peer {
		return s.refreshes(child)
	}
	if err := s.pushes(child); err != nil || !nothing {
		return err
	}
	return s.nothing(child)
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
	// The first pair tells what a rebuild takes, and with it how far changes must be apart to stay changes of their own.
	cost, err := s.window(child, func() error {
		if err := s.change(child, true); err != nil {
			return err
		}
		return s.change(child, false)
	})
	if err != nil {
		return err
	}
	if s.changes == 1 {
		s.add(cost, 2)
		return nil
	}
	gap := max(20*time.Millisecond, 3*cost.Rebuild/2)
	for range s.e.Reps(2, 1) {
		cost, err := s.window(child, func() error {
			for i := range 2 * s.changes {
				if err := s.turn(i%2 == 0); err != nil {
					return err
				}
				time.Sleep(gap) // asking the process would cost it something
			}
			return child.Ask("await", s.n, nil)
		})
		if err != nil {
			return err
		}
		s.add(cost, 2*s.changes)
	}
	return nil
}

// window returns what the process used while something was done.
func (s scaleRun) window(child *rig.Child, do func() error) (cost spent, err error) {
	if err := child.Ask("begin", nil, nil); err != nil {
		return cost, err
	}
	if err := do(); err != nil {
		return cost, err
	}
	time.Sleep(20 * time.Millisecond) // what comes after the push belongs to it
	err = child.Ask("end", nil, &cost)
	return cost, err
}

func (s scaleRun) add(cost spent, changes int) {
	n := float64(changes)
	s.row.Add(s.c, changeCPU, musterSide, report.Nanoseconds, float64(cost.CPU)/n)
	s.row.Add(s.c, changeBytes, musterSide, report.Bytes, float64(cost.Bytes)/n)
	s.row.Add(s.c, rebuildFigure, musterSide, report.Nanoseconds, float64(cost.Rebuild)/n)
}

// nothing is what the process uses while nothing changes.
func (s scaleRun) nothing(child *rig.Child) error {
	if s.e.Smoke {
		return nil
	}
	time.Sleep(2500 * time.Millisecond) // Kitex's cache takes notice up to two seconds later
	cost, err := s.window(child, func() error { time.Sleep(fewSecs * time.Second); return nil })
	if err != nil {
		return err
	}
	s.row.Add(s.c, noneCPU, musterSide, report.Nanoseconds, float64(cost.CPU))
	s.row.Add(s.c, noneBytes, musterSide, report.Bytes, float64(cost.Bytes))
	return nil
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
	for rep := range s.changes + 1 {
		warm := rep == 0 && s.changes > 1
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

func (s scaleRun) compare(large, equal bool, balancer string) {
	one := s.row.Compare(s.c, changeCPU, musterSide, peer, "p50")
	if large {
		one.Draw("one change among " + s.c + ": CPU")
		switch {
		case equal && balancer == roundRobin:
			one.AtMost(0.01)
		case !equal && balancer == recommended:
			one.AtMost(0.05)
		}
	}
	s.row.Compare(s.c, changeBytes, musterSide, peer, "p50")
	if s.row.Values(s.c, noneCPU, musterSide) != nil {
		s.row.Compare(s.c, noneCPU, musterSide, peer, "p50")
		s.row.Compare(s.c, noneBytes, musterSide, peer, "p50")
	}
	if s.row.Values(s.c, firstFigure, musterSide) != nil {
		s.row.Compare(s.c, firstFigure, musterSide, peer, "p50")
		s.row.Compare(s.c, liveFigure, musterSide, peer, "p50")
	}
}

// crowd writes n instances of big-svc and one of small-svc.
func crowd(e *rig.Env, node *rig.Node, n int, equal bool) error {
	cli, err := bareClient(node.Endpoint())
	if err != nil {
		return err
	}
	defer cli.Close()
	if _, err := cli.Put(e, servingPrefix+"/small-svc/10.0.0.1:8888", value("10.0.0.1:8888", 10)); err != nil {
		return err
	}
	var ops []clientv3.Op
	for i := range n {
		w := 10
		if !equal {
			w = 1 + i%10
		}
		addr := address(i)
		ops = append(ops, clientv3.OpPut(servingPrefix+"/big-svc/"+addr, value(addr, w)))
		if len(ops) == 100 || i == n-1 {
			if _, err := cli.Txn(e).Then(ops...).Commit(); err != nil {
				return err
			}
			ops = ops[:0]
		}
	}
	return nil
}
