package rows

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/loadbalance"
	"github.com/cloudwego/kitex/pkg/loadbalance/lbcache"
	"github.com/cloudwego/kitex/pkg/registry"
	"github.com/cloudwego/kitex/pkg/utils"
	etcdregistry "github.com/kitex-contrib/registry-etcd"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
)

// pollIntervals are how often Kitex asks registry-etcd's resolver: its default, and the shortest that is of use, at five
// times the requests.
var pollIntervals = []time.Duration{5 * time.Second, time.Second}

// polledCases are how many upstreams a process has, how many of these change, each with a phase of its own, and how many
// such processes there are at once, since one change takes seconds.
var polledCases = []struct{ upstreams, change, processes int }{{1, 1, 8}, {10, 10, 1}, {100, 20, 1}}

// polledOrder tells a child what to look at.
type polledOrder struct {
	Endpoint, Prefix  string
	Upstreams, Change int
	Every             time.Duration
}

// polledTimes are to the first and to the last pick.
type polledTimes struct{ First, Last []time.Duration }

// latencyPolled measures the same with registry-etcd.
func latencyPolled(e *rig.Env, row *report.Row) error {
	row.Peers = append(row.Peers, "registry-etcd v0.3.0 for server and client, with Kitex's refresh every 5 s (its default) and "+
		"every 1 s (lbcache.Options.RefreshInterval). The clock runs from the call of Register or Deregister. With 1 upstream there are 8 processes; with 10 one, "+
		"of whose upstreams all change, each with a phase of its own; with 100 one, of which 20 change. All of them run at once, and call each upstream every "+
		"few milliseconds, which is little beside seconds.")
	intervals := pollIntervals
	if e.Smoke {
		intervals = intervals[1:]
	}
	node, err := e.Etcd()
	if err != nil {
		return err
	}
	e.Log("registry-etcd")
	type answer struct {
		c, side string
		times   polledTimes
		err     error
	}
	var answers []*answer
	var wg sync.WaitGroup
	for _, every := range intervals {
		for _, k := range polledCases {
			if e.Smoke && k.upstreams > 10 {
				continue
			}
			for i := range e.Reps(k.processes, 1) {
				child, err := e.Start("polled-client")
				if err != nil {
					return err
				}
				a := &answer{c: plural(k.upstreams, "upstream"), side: fmt.Sprintf("%s, %v", peer, every)}
				answers = append(answers, a)
				o := polledOrder{node.Endpoint(), fmt.Sprintf("polled-%v-%d-%d", every, k.upstreams, i), k.upstreams, k.change, every}
				wg.Go(func() { a.err = child.Ask("run", o, &a.times); child.Kill() })
			}
		}
	}
	wg.Wait()
	for _, a := range answers {
		if a.err != nil {
			return fmt.Errorf("%s, %s: %w", a.side, a.c, a.err)
		}
		row.Add(a.c, publishFigure, a.side, report.Nanoseconds, report.Times(a.times.First)...)
		row.Add(a.c, withdrawFigure, a.side, report.Nanoseconds, report.Times(a.times.Last)...)
	}
	for _, every := range intervals {
		side := fmt.Sprintf("%s, %v", peer, every)
		for _, k := range polledCases {
			c := plural(k.upstreams, "upstream")
			for _, f := range []string{publishFigure, withdrawFigure} {
				if row.Values(c, f, side) == nil {
					continue
				}
				x := row.Compare(c, f, musterSide, side, "p50")
				if every == pollIntervals[0] {
					x.Draw(f + ", " + c + ", beside registry-etcd")
				}
			}
		}
	}
	return nil
}

// polledClient is a process with clients of registry-etcd's.
func polledClient() rig.Ops { return rig.Ops{"run": rig.Op(polled)} }

func polled(o polledOrder) (out polledTimes, err error) {
	// registry-etcd's clients can't be closed: they end with the process.
	prefix := etcdregistry.WithEtcdServicePrefix(o.Prefix)
	resolver, err := etcdregistry.NewEtcdResolver([]string{o.Endpoint}, prefix)
	if err != nil {
		return out, err
	}
	stays, err := bareClient(o.Endpoint)
	if err != nil {
		return out, err
	}
	var all []*upstream
	regs := make([]registry.Registry, o.Change)
	for i := range o.Upstreams {
		service := fmt.Sprintf("svc-%03d", i)
		if _, err := stays.Put(bg, o.Prefix+"/"+service+"/10.0.0.1:8888", value("10.0.0.1:8888", 10)); err != nil {
			return out, err
		}
		if i < o.Change {
			if regs[i], err = etcdregistry.NewEtcdRegistry([]string{o.Endpoint}, prefix); err != nil {
				return out, err
			}
		}
		u, err := newUpstream(service, toggled, client.WithResolver(resolver), client.WithLoadBalancer(
			loadbalance.NewWeightedBalancer(), &lbcache.Options{RefreshInterval: o.Every, Cacheable: true}))
		if err != nil {
			return out, err
		}
		if err := u.call(bg); err != nil {
			return out, err
		}
		all = append(all, u)
	}
	stop := pacedLoad(all)
	out = polledTimes{make([]time.Duration, o.Change), make([]time.Duration, o.Change)}
	errs := make([]error, o.Change)
	var wg sync.WaitGroup
	for i := range o.Change {
		wg.Go(func() {
			out.First[i], out.Last[i], errs[i] = polledOnce(bg, regs[i], all[i], fmt.Sprintf("svc-%03d", i), o.Every)
		})
	}
	wg.Wait()
	return out, errors.Join(append(errs, stop())...)
}

// pacedLoad calls each upstream every few milliseconds until stop, so that many processes can do it beside each other.
func pacedLoad(all []*upstream) (stop func() error) {
	done, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				failed <- nil
				return
			case <-tick.C:
			}
			for _, u := range all {
				if err := u.call(bg); err != nil {
					failed <- err
					return
				}
			}
		}
	}()
	return func() error { close(done); return <-failed }
}

func polledOnce(ctx context.Context, r registry.Registry, u *upstream, service string, every time.Duration) (first, last time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*every+patience)
	defer cancel()
	time.Sleep(rand.N(every))
	u.arm()
	start := now()
	if err := r.Register(info(service, toggled)); err != nil {
		return 0, 0, err
	}
	at, err := u.awaitFirst(ctx)
	if err != nil {
		return 0, 0, err
	}
	first = time.Duration(at - start)
	time.Sleep(rand.N(every))
	start = now()
	if err := r.Deregister(info(service, toggled)); err != nil {
		return 0, 0, err
	}
	at, err = u.awaitLast(ctx, every+every/2)
	return first, time.Duration(at - start), err
}

func info(service, addr string) *registry.Info {
	return &registry.Info{ServiceName: service, Addr: utils.NewNetAddr("tcp", addr), Weight: 10}
}
