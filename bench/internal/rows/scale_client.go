package rows

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/loadbalance"
	"github.com/cloudwego/kitex/pkg/loadbalance/lbcache"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
	etcdregistry "github.com/kitex-contrib/registry-etcd"

	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/kitexext"
)

// The balancers of Kitex's, as the table calls them.
const (
	roundRobin  = "weighted round robin (default)"
	interleaved = "interleaved weighted round robin"
	random      = "weighted random"
	alias       = "weighted random, alias method"
	consistent  = "consistent hash, 100 nodes"
)

var allBalancers = []string{roundRobin, interleaved, random, alias, consistent}

func balancerOf(name string) loadbalance.Loadbalancer {
	switch name {
	case interleaved:
		return loadbalance.NewInterleavedWeightedRoundRobinBalancer()
	case random:
		return loadbalance.NewWeightedRandomBalancer()
	case alias:
		return loadbalance.NewWeightedRandomWithAliasMethodBalancer()
	case consistent:
		o := loadbalance.NewConsistentHashOption(func(context.Context, interface{}) string { return "key" })
		o.VirtualFactor = 100
		return loadbalance.NewConsistBalancer(o)
	default:
		return loadbalance.NewWeightedBalancer()
	}
}

// scaleOrder tells a child what to look at.
type scaleOrder struct {
	Side, Endpoint, Balancer string
}

// opened is what the first view cost.
type opened struct {
	Took  time.Duration
	CPU   time.Duration
	Bytes uint64
	Live  int64 // more bytes live than before
}

// spent is what something cost.
type spent struct {
	Took    time.Duration
	CPU     time.Duration
	Bytes   uint64
	Objects uint64
	// Rebuild is what the balancer's own rebuild took of it, where that is known.
	Rebuild time.Duration
	// Pushes is how many times the balancer got a new list.
	Pushes int
}

func since(before rig.Usage) spent {
	u := rig.Use()
	return spent{Took: u.At.Sub(before.At), CPU: u.CPU - before.CPU, Bytes: u.Bytes - before.Bytes, Objects: u.Objects - before.Objects}
}

// scaleClient is a process with one client of one large service.
type scaleClient struct {
	resolver discovery.Resolver // registry-etcd's, and what Kitex keeps of it
	bal      *lbcache.Balancer
	opt      []client.Option
	keep     []*upstream

	mu     sync.Mutex // guards everything that follows
	last   kitexext.Push
	pushes chan struct{} // closed and replaced at each push
	cost   time.Duration // of all rebuilds since they were reset
	n      int           // pushes since then
	mark   rig.Usage
}

func scaleClients() rig.Ops {
	s := &scaleClient{pushes: make(chan struct{})}
	return rig.Ops{
		"warm":    rig.Op(s.warm),
		"open":    rig.Op(s.open),
		"begin":   rig.Op(s.begin),
		"await":   rig.Op(s.await),
		"end":     rig.Op(s.end),
		"refresh": rig.Op(s.refresh),
	}
}

// warm has the connection up, and Kitex warm, before anything counts.
func (s *scaleClient) warm(o scaleOrder) (_ bool, err error) {
	if s.opt, err = s.option(o); err != nil {
		return false, err
	}
	small, err := newUpstream("small-svc", "", s.opt...)
	if err != nil {
		return false, err
	}
	s.keep = append(s.keep, small)
	return true, small.call(bg)
}

func (s *scaleClient) open(o scaleOrder) (opened, error) {
	live, before, start := rig.Live(), rig.Use(), time.Now()
	big, err := newUpstream("big-svc", "", s.opt...)
	if err != nil {
		return opened{}, err
	}
	if err := big.call(bg); err != nil {
		return opened{}, err
	}
	took, cost := time.Since(start), since(before)
	out := opened{Took: took, CPU: cost.CPU, Bytes: cost.Bytes, Live: int64(rig.Live()) - int64(live)}
	if o.Side == peer {
		// Kitex finds the same cache under the same names: what its ticker would refresh, is refreshed here.
		f := lbcache.NewBalancerFactory(s.resolver, balancerOf(o.Balancer), peerCache)
		if s.bal, err = f.Get(bg, rpcinfo.NewEndpointInfo("big-svc", "", nil, nil)); err != nil {
			return out, err
		}
	}
	s.keep = append(s.keep, big)
	return out, nil
}

// peerCache never refreshes by itself within a run, so that each refresh is counted.
var peerCache = lbcache.Options{RefreshInterval: time.Hour, ExpireInterval: time.Hour, Cacheable: true}

func (s *scaleClient) option(o scaleOrder) ([]client.Option, error) {
	lb := balancerOf(o.Balancer)
	if o.Side == peer {
		r, err := etcdregistry.NewEtcdResolver([]string{o.Endpoint}, etcdregistry.WithEtcdServicePrefix(servingPrefix))
		s.resolver = r
		return []client.Option{client.WithResolver(r), client.WithLoadBalancer(lb, &peerCache)}, err
	}
	d, err := newDriver(o.Endpoint)
	if err != nil {
		return nil, err
	}
	c, err := newCatalog(d)
	if err != nil {
		return nil, err
	}
	return []client.Option{
		kitexext.WithResolver(c, kitexext.OnPush(s.pushed)), client.WithLoadBalancer(lb, &lbcache.Options{Cacheable: true}),
	}, nil
}

func (s *scaleClient) pushed(p kitexext.Push) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.Service != "big-svc" || p.Seq == s.last.Seq { // both clients share the balancer, and both tell of it
		return
	}
	s.last = p
	s.cost += p.Cost
	s.n++
	close(s.pushes)
	s.pushes = make(chan struct{})
}

func (s *scaleClient) begin(struct{}) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cost, s.n = 0, 0
	s.mark = rig.Use()
	return true, nil
}

func (s *scaleClient) end(struct{}) (spent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := since(s.mark)
	out.Rebuild, out.Pushes = s.cost, s.n
	return out, nil
}

// await returns when picks are made of as many instances.
func (s *scaleClient) await(n int) (bool, error) {
	limit := time.After(patience)
	for {
		s.mu.Lock()
		have, news := s.last.Instances, s.pushes
		s.mu.Unlock()
		if have == n {
			return true, nil
		}
		select {
		case <-news:
		case <-limit:
			return false, fmt.Errorf("picks are made of %d instances, want %d", have, n)
		}
	}
}

// refresh is what Kitex's ticker does, once.
func (s *scaleClient) refresh(want int) (spent, error) {
	before := rig.Use()
	s.bal.Refresh()
	_ = s.bal.GetPicker()
	out := since(before)
	if res, _ := s.bal.GetResult(); len(res.Instances) != want {
		return out, fmt.Errorf("%d instances after a refresh, want %d", len(res.Instances), want)
	}
	return out, nil
}
