package kitexext

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/loadbalance"
	"github.com/cloudwego/kitex/pkg/loadbalance/lbcache"
	"github.com/cloudwego/kitex/pkg/rpcinfo"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/naming"
)

// BenchmarkPick is what Kitex does at each call to choose an instance: through Muster, and with Kitex's own balancer over
// a resolver of the same name and list.
func BenchmarkPick(b *testing.B) {
	for name, lb := range balancers() {
		if lb() == nil {
			continue
		}
		w := newWorld("etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379/muster/dev/default")
		c := openCatalog(b, w)
		w.set("echo", many(100, 1)...)
		r, err := resolverOf(c)
		if err != nil {
			b.Fatal(err)
		}
		ours := r.acquire(lb(), lbcache.Options{Cacheable: true})
		defer ours.release(nil)
		for _, tt := range []struct {
			name  string
			cache *lbcache.BalancerFactory
		}{
			{"muster", lbcache.NewBalancerFactory(r, ours, ours.opts)},
			{"kitex", lbcache.NewBalancerFactory(kitexOwn{r}, lb(), lbcache.Options{})},
		} {
			b.Run(fmt.Sprintf("%s/%s", name, tt.name), func(b *testing.B) {
				to := rpcinfo.NewEndpointInfo("echo", "", nil, nil)
				ctx := context.Background()
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						bl, err := tt.cache.Get(ctx, to)
						if err != nil {
							b.Error(err)
							return
						}
						p := bl.GetPicker()
						if p.Next(ctx, nil) == nil {
							b.Error("nobody")
							return
						}
						recycle(p)
					}
				})
			})
		}
	}
}

// kitexOwn is a resolver that Kitex's own balancers are used with.
type kitexOwn struct{ *resolver }

func (kitexOwn) Name() string { return "own" }

// BenchmarkRebuild is what the package comment's table says.
func BenchmarkRebuild(b *testing.B) {
	all := balancers()
	all["consistent hash, 100 virtual nodes"] = func() loadbalance.Loadbalancer {
		o := hashOption()
		o.VirtualFactor = 100
		return loadbalance.NewConsistBalancer(o)
	}
	for name, lb := range all {
		if lb() == nil || strings.HasPrefix(name, "own") {
			continue
		}
		for _, weights := range []int{1, 10} {
			list := many(10000, weights)
			for _, i := range list {
				if weights == 1 {
					i.Weight = naming.DefaultWeight
				}
			}
			instances := new(converter).convert(&catalog.View{Instances: list, Seq: 1}).result.Instances
			b.Run(fmt.Sprintf("%s/weights=%d", name, weights), func(b *testing.B) {
				inner, n := lb(), 0
				for b.Loop() {
					key := strconv.Itoa(n)
					lasting(inner, discovery.Result{Cacheable: true, CacheKey: key, Instances: instances})
					inner.(loadbalance.Rebalancer).Delete(discovery.Change{Result: discovery.Result{Cacheable: true, CacheKey: key}})
					n++
				}
			})
		}
	}
}

func BenchmarkDiff10000(b *testing.B) {
	prev := many(10000, 1)
	next := append(prev[:5000:5000], prev[5001:]...)
	conv := new(converter)
	p := conv.convert(&catalog.View{Instances: prev, Seq: 1}).result
	n := conv.convert(&catalog.View{Instances: next, Seq: 2}).result
	b.Run("muster", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if ch, ok := diff("", p, n); !ok || len(ch.Removed) != 1 {
				b.Fatal(ch)
			}
		}
	})
	b.Run("kitex", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if ch, ok := discovery.DefaultDiff("", p, n); !ok || len(ch.Removed) != 1 {
				b.Fatal(ch)
			}
		}
	})
}

var _ loadbalance.Rebalancer = (*balancer)(nil)
