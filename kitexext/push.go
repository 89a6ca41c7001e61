package kitexext

import (
	"context"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/loadbalance"
	"github.com/cloudwego/kitex/pkg/loadbalance/lbcache"
	"github.com/cloudwego/kitex/pkg/rpcinfo"

	"github.com/muster-go/muster/catalog"
)

const (
	// pusherIdle is for how long nobody picks before a pusher ends; it does after once to twice that.
	pusherIdle = time.Minute
	// pace is how much longer than the last rebuild a pusher waits before the next: a third of one core at most goes into
	// one service's rebuilding, however fast it changes.
	pace = 2
	// cheap is what a rebuild may take without a wait.
	cheap = 100 * time.Microsecond
	// costly is from when on a picker gets a guard until the next rebuild.
	costly = time.Millisecond
)

// Push tells of a change that has reached a balancer.
type Push struct {
	// Service is whose list changed.
	Service string
	// Seq is that of the catalog's view, Revision the registry's.
	Seq      uint64
	Revision int64
	// Instances is how many there are now.
	Instances int
	// Cost is how long the balancer took to rebuild; the next rebuild waits twice as long, unless it is below 0.1 ms.
	Cost time.Duration
}

// pusher brings the views of one service to one balancer. Its run is the only one that makes the inner balancer rebuild.
type pusher struct {
	b       *balancer
	service string
	key     string // Kitex's
	inner   string // the inner balancer's; another one in each life, so that nothing old is found under it
	sub     *catalog.Subscription

	ready   atomic.Pointer[ready]
	touched atomic.Bool

	stop sync.Once
	quit chan struct{}
	done chan struct{}

	seq  uint64               // of the view that ready was made of; run's alone
	prev []discovery.Instance // its instances; run's alone
}

// ready is what a pick uses.
type ready struct {
	// picker is the one for all calls; nil where the inner balancer has to be asked at each call.
	picker loadbalance.Picker
	// result is what it is asked with. The inner balancer has its picker cached.
	result discovery.Result
}

// newPusher returns a pusher with its first picker ready, or nil where the catalog is closed. It does not run yet.
func (b *balancer) newPusher(service string, res discovery.Result) *pusher {
	sub, err := b.r.c.Subscribe(service)
	if err != nil {
		return nil
	}
	b.r.mu.Lock()
	b.r.serial++
	life := b.r.serial
	b.r.mu.Unlock()
	p := &pusher{
		b:       b,
		service: service,
		key:     res.CacheKey,
		inner:   res.CacheKey + "#" + strconv.Itoa(life),
		sub:     sub,
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	built := false
	defer func() {
		if !built {
			p.abandon()
		}
	}()
	// The subscription comes first and the view second: what changes from here on arrives on Changed.
	if v := sub.View(); v != nil {
		p.build(b.r.lists.of(v))
	} else {
		p.build(&list{of: new(converter), result: res})
	}
	built = true
	return p
}

// touch notes a pick; see catalog's entry for why it reads first.
func (p *pusher) touch() {
	if !p.touched.Load() {
		p.touched.Store(true)
	}
}

// run pushes until the client or the catalog ends, or nobody picks any more.
func (p *pusher) run() {
	defer close(p.done)
	idle := time.NewTicker(pusherIdle)
	defer idle.Stop()
	pause := time.NewTimer(0)
	pause.Stop()
	defer pause.Stop()
	event := time.NewTimer(0) // when Kitex's cache may take notice
	event.Stop()
	defer event.Stop()
	changed := p.sub.Changed()
	pending, paused, due := false, false, false
	for {
		select {
		case <-p.quit:
			return
		case <-idle.C:
			if !p.touched.Swap(false) && p.b.remove(p) {
				p.abandon()
				return
			}
		case <-pause.C:
			paused = false
		case <-event.C:
			p.b.fire(p.service)
			if due = !p.settled(); due {
				event.Reset(settle)
			}
		case _, open := <-changed:
			if !open {
				changed = nil // the catalog is closed; its Close ends this too
				continue
			}
			// Reading the list marks what has gone, which a guard obeys at once, whenever the rebuilding comes.
			pending = p.latest() != nil
		}
		if pending && !paused {
			pending = false
			if cost := p.push(); cost >= cheap {
				paused = true
				pause.Reset(pace * cost)
			}
			if !due {
				due = true
				event.Reset(settle)
			}
		}
	}
}

// latest returns the list of the latest view, or nil where ready is made of it already.
func (p *pusher) latest() *list {
	v := p.sub.View()
	if v == nil {
		return nil
	}
	l := p.b.r.lists.of(v)
	if l.seq <= p.seq {
		return nil
	}
	return l
}

// settled reports whether Kitex's cache may know the latest list.
func (p *pusher) settled() bool {
	c := p.b.r.lists.get(p.service)
	return c == nil || c.settle(time.Now()) == c.last.Load()
}

// push brings the latest view to the balancer, and returns what the rebuilding took; 0 where there was none.
func (p *pusher) push() time.Duration {
	l := p.latest()
	if l == nil {
		return 0
	}
	cost := p.rebuild(l)
	p.pushed(Push{Service: p.service, Seq: l.seq, Revision: l.revision, Instances: len(l.result.Instances), Cost: cost})
	return cost
}

// rebuild is build, but for a panic of the inner balancer. Then the calls ask it themselves, with the new list, and the
// panic is theirs, where Kitex contains it.
func (p *pusher) rebuild(l *list) (cost time.Duration) {
	start := time.Now()
	defer func() {
		if x := recover(); x != nil {
			p.b.r.c.Logger().Error("kitexext: a balancer panicked while it was rebuilt", "service", p.service, "balancer", p.b.name, "panic", x)
			p.seq, p.prev = l.seq, l.result.Instances
			p.ready.Store(&ready{result: discovery.Result{CacheKey: p.inner, Instances: l.result.Instances}})
			cost = time.Since(start)
		}
	}()
	return p.build(l)
}

// build has the inner balancer make its picker of the list, makes it the ready one, and returns what it took.
func (p *pusher) build(l *list) time.Duration {
	start := time.Now()
	seq, instances := l.seq, l.result.Instances
	res := discovery.Result{Cacheable: true, CacheKey: p.inner, Instances: instances}
	switch first := p.ready.Load() == nil; {
	case p.b.re == nil:
		// It can't be told of a change: if it caches, it must be by another key.
		res.CacheKey += "@" + strconv.FormatUint(seq, 10)
	case !first:
		ch, _ := diff(p.inner, discovery.Result{Instances: p.prev}, res)
		p.b.re.Rebalance(ch)
	}
	picker := lasting(p.b.inner, res)
	cost := time.Since(start)
	if picker != nil && cost >= costly {
		picker = &guard{picker: picker, of: l.of}
	}
	p.ready.Store(&ready{picker: picker, result: res})
	p.seq, p.prev = seq, instances
	return cost
}

// lasting returns the picker that the balancer gives for res if it gives the same one to every call, and nil if it gives
// each call its own, as those do that recycle them. It also makes the balancer fill its cache.
func lasting(b loadbalance.Loadbalancer, res discovery.Result) loadbalance.Picker {
	one, two := b.GetPicker(res), b.GetPicker(res)
	// Nothing but a pointer says that it is the same one.
	same := reflect.ValueOf(one).Kind() == reflect.Pointer && reflect.TypeOf(one) == reflect.TypeOf(two) && one == two
	if recycle(one) {
		if !same {
			recycle(two)
		}
		return nil
	}
	if !same {
		return nil
	}
	return one
}

// recycle does what Kitex does with a picker after the call, and reports whether the picker is of that kind.
func recycle(p loadbalance.Picker) bool {
	r, ok := p.(interface{ Recycle() })
	if ok {
		r.Recycle()
	}
	return ok
}

// refresh has Kitex's cache take notice, so that its change events come soon and not at the next tick: connection pools are
// cleaned by them. Kitex finds the same cache under the same names. It does not touch picks.
func (b *balancer) refresh(service string) {
	cache := lbcache.NewBalancerFactory(b.r, b, b.opts)
	if bl, err := cache.Get(context.Background(), rpcinfo.NewEndpointInfo(service, "", nil, nil)); err == nil {
		bl.Refresh()
	}
}

// pushed tells the clients that a change has arrived.
func (p *pusher) pushed(e Push) {
	p.b.mu.Lock()
	hooks := p.b.hooks
	p.b.mu.Unlock()
	for _, h := range hooks {
		func() {
			defer p.contain("it was told of a push")
			(*h)(e)
		}()
	}
}

// join stops run and waits for it. The ready picker stays.
func (p *pusher) join() {
	p.stop.Do(func() { close(p.quit) })
	<-p.done
	p.sub.Close()
}

// end stops run, waits for it, and gives everything back.
func (p *pusher) end() {
	p.join()
	p.abandon()
}

// abandon gives back what a pusher that does not run holds.
func (p *pusher) abandon() {
	p.sub.Close()
	if p.b.re == nil {
		return
	}
	defer p.contain("forgot a service")
	p.b.re.Delete(discovery.Change{Result: discovery.Result{Cacheable: true, CacheKey: p.inner}})
}

// contain keeps a panic of the user's code from ending the process. It is deferred.
func (p *pusher) contain(while string) {
	if x := recover(); x != nil {
		p.b.r.c.Logger().Error("kitexext: a balancer or an OnPush panicked", "while", while, "service", p.service, "balancer", p.b.name, "panic", x)
	}
}
