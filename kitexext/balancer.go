package kitexext

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/loadbalance"
	"github.com/cloudwego/kitex/pkg/loadbalance/lbcache"
)

// balancer stands between Kitex's cache and the user's balancer. Kitex asks it for a picker at each call; it has the ready
// one for the latest view, which the service's pusher makes of the inner balancer and swaps in atomically. What Kitex's
// cache believes, and when it refreshes that, no longer matters to picks.
//
// For results that are not this catalog's it does nothing but pass them on.
type balancer struct {
	r     *resolver
	inner loadbalance.Loadbalancer
	re    loadbalance.Rebalancer // inner, where it is one
	name  string
	opts  lbcache.Options

	// pushers by Kitex's cache key. The map is replaced as a whole under mu.
	pushers atomic.Pointer[map[string]*pusher]

	mu      sync.Mutex // guards everything that follows
	clients int
	frozen  bool // the catalog is closed
	opening map[string]*opening
	hooks   []*func(Push)
}

// opening is a pusher in the making.
type opening struct{ done chan struct{} }

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
		b.pushers.Store(new(map[string]*pusher))
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

// Name implements loadbalance.Loadbalancer.
func (b *balancer) Name() string { return b.name }

// GetPicker implements loadbalance.Loadbalancer.
func (b *balancer) GetPicker(res discovery.Result) loadbalance.Picker {
	p := (*b.pushers.Load())[res.CacheKey]
	if p == nil {
		if p = b.open(res); p == nil {
			return b.pass(res)
		}
	}
	p.touch()
	ready := p.ready.Load()
	if ready.picker != nil {
		return ready.picker
	}
	return b.inner.GetPicker(ready.result)
}

// own returns the service that a cache key of Kitex's stands for, if it is one of this catalog's.
func (b *balancer) own(cacheKey string) (string, bool) {
	return strings.CutPrefix(cacheKey, b.r.prefix)
}

// pass answers from what Kitex has: for results of other resolvers, and after the end of the client or the catalog.
func (b *balancer) pass(res discovery.Result) loadbalance.Picker {
	if _, ok := b.own(res.CacheKey); ok {
		// Nobody would tell the inner balancer of changes.
		res.Cacheable = false
	}
	return b.inner.GetPicker(res)
}

// Rebalance implements loadbalance.Rebalancer, so that Kitex's cache fires its change events. The inner balancer hears of
// this catalog's changes from the pushers alone.
func (b *balancer) Rebalance(ch discovery.Change) {
	if _, ok := b.own(ch.Result.CacheKey); !ok && b.re != nil {
		b.re.Rebalance(ch)
	}
}

// Delete implements loadbalance.Rebalancer. Pushers notice themselves that they are idle.
func (b *balancer) Delete(ch discovery.Change) {
	if _, ok := b.own(ch.Result.CacheKey); !ok && b.re != nil {
		b.re.Delete(ch)
	}
}

// open returns the pusher of a result's service, made if need be; nil where there can be none.
func (b *balancer) open(res discovery.Result) *pusher {
	service, ok := b.own(res.CacheKey)
	if !ok {
		return nil
	}
	b.mu.Lock()
	if p := (*b.pushers.Load())[res.CacheKey]; p != nil {
		b.mu.Unlock()
		return p
	}
	if b.clients == 0 || b.frozen {
		b.mu.Unlock()
		return nil
	}
	if other := b.opening[res.CacheKey]; other != nil {
		b.mu.Unlock()
		<-other.done
		return (*b.pushers.Load())[res.CacheKey]
	}
	mine := &opening{done: make(chan struct{})}
	b.opening[res.CacheKey] = mine
	b.mu.Unlock()

	// The first picker is made here, in the goroutine of the first call, as Kitex itself does. A panic of the inner
	// balancer goes to that call, where Kitex contains it.
	var p *pusher
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.opening, res.CacheKey)
		close(mine.done)
		if p == nil {
			return
		}
		if b.clients == 0 || b.frozen {
			p.abandon()
			return
		}
		pushers := maps.Clone(*b.pushers.Load())
		if pushers == nil {
			pushers = make(map[string]*pusher)
		}
		pushers[res.CacheKey] = p
		b.pushers.Store(&pushers)
		go p.run()
	}()
	p = b.newPusher(service, res)
	return p
}

// remove takes out a pusher that has become idle. It reports false if it is in use again.
func (b *balancer) remove(p *pusher) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.touched.Load() {
		return false
	}
	pushers := maps.Clone(*b.pushers.Load())
	if pushers[p.key] == p {
		delete(pushers, p.key)
		b.pushers.Store(&pushers)
	}
	return true
}

// release ends one client's use. The last one ends the pushers and joins them.
func (b *balancer) release(hook *func(Push)) {
	b.mu.Lock()
	b.clients--
	b.hooks = slices.DeleteFunc(slices.Clone(b.hooks), func(h *func(Push)) bool { return h == hook })
	last := b.clients == 0
	var ended map[string]*pusher
	if last {
		ended = *b.pushers.Swap(new(map[string]*pusher))
	}
	b.mu.Unlock()
	for _, p := range ended {
		p.end()
	}
	if last {
		b.r.forget(b)
	}
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
		pushers := *b.pushers.Load()
		b.mu.Unlock()
		for _, p := range pushers {
			p.join()
		}
	}
	return nil
}

func (b *balancer) addHook(h *func(Push)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hooks = append(slices.Clone(b.hooks), h)
}
