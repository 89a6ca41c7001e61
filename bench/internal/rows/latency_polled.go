package rows

import (
	"context"
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

// latencyPolled measures the same with registry-etcd: many services at once, each with a phase of its own, since one takes
// seconds.
func latencyPolled(e *rig.Env, row *report.Row) error {
	row.Peers = append(row.Peers, "registry-etcd v0.3.0 for server and client, with Kitex's refresh every 5 s (its default) and "+
		"every 1 s (lbcache.Options.RefreshInterval). The clock runs from the call of Register or Deregister. 20 services at once, "+
		"each with a phase of its own; it polls each by itself, so that their number makes no difference.")
	services, intervals := 20, pollIntervals
	if e.Smoke {
		services, intervals = 2, intervals[1:]
	}
	for _, every := range intervals {
		e.Log("registry-etcd, refresh every %v", every)
		side := fmt.Sprintf("%s, %v", peer, every)
		first, last, err := polled(e, services, every)
		if err != nil {
			return err
		}
		c := plural(1, "upstream")
		row.Add(c, publishFigure, side, report.Nanoseconds, report.Times(first)...)
		row.Add(c, withdrawFigure, side, report.Nanoseconds, report.Times(last)...)
		for _, f := range []string{publishFigure, withdrawFigure} {
			x := row.Compare(c, f, musterSide, side, "p50")
			if every == pollIntervals[0] {
				x.Draw(f + ", beside registry-etcd")
			}
		}
	}
	return nil
}

func polled(e *rig.Env, services int, every time.Duration) (first, last []time.Duration, err error) {
	node, err := e.Etcd()
	if err != nil {
		return nil, nil, err
	}
	// The node stays until the row ends: registry-etcd's clients can't be closed.
	prefix := etcdregistry.WithEtcdServicePrefix(fmt.Sprintf("polled-%v", every))
	resolver, err := etcdregistry.NewEtcdResolver([]string{node.Endpoint()}, prefix)
	if err != nil {
		return nil, nil, err
	}
	var all []*upstream
	regs := make([]registry.Registry, services)
	for i := range services {
		service := fmt.Sprintf("svc-%03d", i)
		if regs[i], err = etcdregistry.NewEtcdRegistry([]string{node.Endpoint()}, prefix); err != nil {
			return nil, nil, err
		}
		stays, err := etcdregistry.NewEtcdRegistry([]string{node.Endpoint()}, prefix)
		if err != nil {
			return nil, nil, err
		}
		if err := stays.Register(info(service, "10.0.0.1:8888")); err != nil {
			return nil, nil, err
		}
		u, err := newUpstream(service, toggled, client.WithResolver(resolver), client.WithLoadBalancer(
			loadbalance.NewWeightedBalancer(), &lbcache.Options{RefreshInterval: every, Cacheable: true}))
		if err != nil {
			return nil, nil, err
		}
		if err := u.call(e); err != nil {
			return nil, nil, err
		}
		all = append(all, u)
	}
	stop := load(all)
	first, last = make([]time.Duration, services), make([]time.Duration, services)
	errs := make([]error, services)
	var wg sync.WaitGroup
	for i, u := range all {
		wg.Go(func() { first[i], last[i], errs[i] = polledOnce(e, regs[i], u, fmt.Sprintf("svc-%03d", i), every) })
	}
	wg.Wait()
	if err := stop(); err != nil {
		return nil, nil, err
	}
	for _, err := range errs {
		if err != nil {
			return nil, nil, err
		}
	}
	return first, last, nil
}

func polledOnce(e *rig.Env, r registry.Registry, u *upstream, service string, every time.Duration) (first, last time.Duration, err error) {
	ctx, cancel := context.WithTimeout(e, 10*every+patience)
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
