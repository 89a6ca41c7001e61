package kitexext

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/loadbalance"

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
			// Asked before: what is settled meanwhile has not been told.
			due = !p.settled()
			p.b.fire(p.service)
			if due {
				event.Reset(settle)
			}
		case _, open := <-changed:
			if !open {
				changed = nil // the catalog is closed; its Close ends this too
				continue
			}
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
