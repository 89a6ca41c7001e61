package kitexext

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/loadbalance"
	"github.com/cloudwego/kitex/pkg/loadbalance/lbcache"
)

// kitexRefresh and kitexExpire are what lbcache takes in the place of intervals that are not positive.
const (
	kitexRefresh = 5 * time.Second
	kitexExpire  = 15 * time.Second
)

// attach wraps the balancer of a client whose options are complete.
func (r *resolver) attach(o *client.Options, ro *resolverOptions) {
	if own, ok := o.Resolver.(*resolver); !ok || own != r {
		return // another resolver, or WithHostPorts, came later and wins
	}
	if _, ok := o.Balancer.(*balancer); ok {
		return // WithResolver stood twice among the options
	}
	// As in Kitex: the default balancer is shared by all clients, another only where the user says so.
	opts := lbcache.Options{DiagnosisService: o.DebugService, Cacheable: o.Balancer == nil}
	inner := o.Balancer
	if inner == nil {
		inner = loadbalance.NewWeightedBalancer()
	}
	if o.BalancerCacheOpt != nil {
		opts = *o.BalancerCacheOpt
	}
	b := r.acquire(inner, opts)
	if b == nil {
		return
	}
	o.Balancer = b
	o.BalancerCacheOpt = &b.opts
	var hook *func(Push)
	if f := ro.onPush; f != nil {
		hook = &f
		b.addHook(hook)
	}
	var once sync.Once
	o.CloseCallbacks = append(o.CloseCallbacks, func() error {
		once.Do(func() { b.release(hook) })
		return nil
	})
}

// acquire returns the balancer for one more client, or nil after the catalog's Close.
func (r *resolver) acquire(inner loadbalance.Loadbalancer, opts lbcache.Options) *balancer {
	name := inner.Name()
	// As Kitex does before it shares: else two of these would stand behind one cache of Kitex's, which has the first only.
	if opts.RefreshInterval <= 0 {
		opts.RefreshInterval = kitexRefresh
	}
	if opts.ExpireInterval <= 0 {
		opts.ExpireInterval = kitexExpire
	}
	key := fmt.Sprintf("%s|%s %s", name, opts.RefreshInterval, opts.ExpireInterval)
	shared := opts.Cacheable

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	b := r.shared[key]
	if !shared || b == nil {
		if !shared {
			// A name of its own has the effect of not being cacheable, and lets the pusher find Kitex's cache.
			r.serial++
			name = fmt.Sprintf("%s#%d", name, r.serial)
			opts.Cacheable = true
		}
		b = &balancer{r: r, inner: inner, name: name, opts: opts, opening: make(map[string]*opening)}
		b.re, _ = inner.(loadbalance.Rebalancer)
		b.fire = b.refresh
		b.pushers.Store(new(pushers))
		if shared {
			// It stays for as long as the catalog does, since Kitex's cache keeps it too and gives it to later clients.
			r.shared[key] = b
		}
		r.balancers[b] = struct{}{}
	}
	b.mu.Lock()
	b.clients++
	b.mu.Unlock()
	return b
}

// forget drops a balancer that no other client will get.
func (r *resolver) forget(b *balancer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.shared {
		if s == b {
			return
		}
	}
	delete(r.balancers, b)
}

// Close ends every pusher and joins them; the catalog calls it. Clients that are still open go on with the pickers they
// have.
func (r *resolver) Close() error {
	r.mu.Lock()
	r.closed = true
	all := slices.Collect(maps.Keys(r.balancers))
	r.mu.Unlock()
	for _, b := range all {
		b.mu.Lock()
		b.frozen = true
		all := b.pushers.Load().all
		b.mu.Unlock()
		for _, p := range all {
			p.join()
		}
	}
	return nil
}
