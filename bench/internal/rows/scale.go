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
	aloneCPU      = "one change alone: CPU"
	aloneBytes    = "one change alone: garbage"
	noneCPU       = "nothing changes, 5 s: CPU"
	noneBytes     = "nothing changes, 5 s: garbage"
	noneMore      = "nothing changes, 5 s: CPU more than before there was the client"

	fewSecs = 5 * time.Second
	// told is how long after a push Kitex's cache has taken notice: a second, and what its refresh takes. After several
	// pushes it may be twice as long.
	told = 1200 * time.Millisecond
	// burst is how many changes are counted together.
	burst = 10
)

// recommended is the balancer that the documentation names for a large service with unequal weights.
const recommended = alias

// Scale measures a service of many instances.
func Scale(e *rig.Env, row *report.Row) error {
	row.What = "A process has one client of a service of 100, 1,000 or 10,000 instances, with equal weights or with weights of 1 to 10. One " +
		"instance more comes and goes, by Muster's own driver in another process. For Muster a change is a publication or a withdrawal, and costs " +
		"what the process uses for ten of them, one after another, divided by ten; each has to cause a push of its own, or they are measured again. The count ends when Kitex's " +
		"cache has been told, too, which is one to two seconds after a push, has compared and has fired its events; what the process uses in as much time while nothing " +
		"changes is taken off. A change alone is told of by itself, and finds caches that have gone cold; being asked for the figures is in it. For registry-etcd it is one " +
		"refresh of Kitex's cache, which happens every 5 s whether something has changed or not. CPU is the process's, the " +
		"collection of garbage in it; the time that etcd takes for its answers is not. Live memory is what the heap holds more after the first call than before."
	row.Peers = append(row.Peers, "registry-etcd v0.3.0 with the same balancer, each refresh being the one that Kitex's ticker would make (lbcache's Balancer.Refresh).")
	sizes := []int{100, 1000, 10000}
	if e.Smoke {
		sizes = sizes[:1]
	}
	for _, n := range sizes {
		still := new(spent)
		for _, equal := range []bool{true, false} {
			balancers := []string{roundRobin}
			if n == 10000 || e.Smoke {
				balancers = allBalancers
			}
			for _, b := range balancers {
				e.Log("%s", scaleCase(n, equal, b))
			}
			if err := scaleOf(e, row, n, equal, balancers, still); err != nil {
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

func scaleOf(e *rig.Env, row *report.Row, n int, equal bool, balancers []string, still *spent) error {
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
		s := scaleRun{e: e, row: row, c: c, n: n, balancer: b, m: m, still: still}
		for i := range e.Reps(scaleOpens(b), 1) {
			for _, side := range []string{musterSide, peer} {
				if err := s.side(side, scaleOrder{side, node.Endpoint(), b}, i == 0, equal && b == roundRobin); err != nil {
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
	e        *rig.Env
	row      *report.Row
	c        string
	n        int
	balancer string
	m        naming.Membership
	still    *spent // what Muster's process uses in fewSecs while nothing changes
}

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

// side measures one process: its first view, and where changes says so, what comes after.
func (s scaleRun) side(side string, o scaleOrder, changes, nothing bool) error {
	child, err := s.e.Start("scale-client")
	if err != nil {
		return err
	}
	defer child.Kill()
	nothing = nothing && changes && side == musterSide
	if err := child.Ask("warm", o, nil); err != nil {
		return err
	}
	var before spent
	if nothing && s.n == 10000 {
		if before, err = s.nothing(child); err != nil {
			return err
		}
	}
	var first opened
	if err := child.Ask("open", o, &first); err != nil {
		return err
	}
	if o.Balancer == roundRobin || o.Balancer == consistent { // the others' are the same as the first's
		s.row.Add(s.c, firstFigure, side, report.Nanoseconds, float64(first.Took))
		s.row.Add(s.c, liveFigure, side, report.Bytes, float64(first.Live)/float64(s.n))
	}
	if nothing {
		if *s.still, err = s.nothing(child); err != nil {
			return err
		}
		s.row.Add(s.c, noneCPU, side, report.Nanoseconds, float64(s.still.CPU))
		s.row.Add(s.c, noneBytes, side, report.Bytes, float64(s.still.Bytes))
		if before.Took > 0 {
			s.row.Add(s.c, noneMore, side, report.Nanoseconds, float64(s.still.CPU-before.CPU))
		}
	}
	switch {
	case !changes:
		return nil
	case side == peer:
		return s.refreshes(child)
	default:
		return s.pushes(child)
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
		if large {
			// None, as far as it can be told: a process's CPU differs by a millisecond from window to window, and a list of
			// 10,000 would be 80 KiB.
			s.row.AtMost(s.c, noneMore, musterSide, "max", float64(2*time.Millisecond))
			s.row.AtMost(s.c, noneBytes, musterSide, "max", 16<<10)
		}
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
