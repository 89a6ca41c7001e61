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
