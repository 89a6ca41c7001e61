package kitexext

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

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
	fire  func(service string) // refresh, but in tests that want nothing of Kitex's cache

	// pushers is replaced as a whole under mu.
	pushers atomic.Pointer[pushers]

	mu      sync.Mutex // guards everything that follows
	clients int
	frozen  bool // the catalog is closed
	opening map[string]*opening
	hooks   []*func(Push)
}

// opening is a pusher in the making.
type opening struct{ done chan struct{} }

// Name implements loadbalance.Loadbalancer.
func (b *balancer) Name() string { return b.name }

// GetPicker implements loadbalance.Loadbalancer.
func (b *balancer) GetPicker(res discovery.Result) loadbalance.Picker {
	p := b.pushers.Load().get(res.CacheKey)
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
	if p := b.pushers.Load().get(res.CacheKey); p != nil {
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
		return b.pushers.Load().get(res.CacheKey)
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
		b.pushers.Store(b.pushers.Load().with(p))
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
	b.pushers.Store(b.pushers.Load().without(p))
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
		ended = b.pushers.Swap(new(pushers)).all
	}
	b.mu.Unlock()
	for _, p := range ended {
		p.end()
	}
	if last {
		b.r.forget(b)
	}
}

func (b *balancer) addHook(h *func(Push)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hooks = append(slices.Clone(b.hooks), h)
}
