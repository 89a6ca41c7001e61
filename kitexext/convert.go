package kitexext

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/utils"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/internal/ends"
	"github.com/muster-go/muster/naming"
)

// TagDegraded is the tag that a degraded instance carries, with the value "true": its probes fail, and it serves because
// too many others' do. Balancers treat it as any other unless the user's own looks at the tag.
const TagDegraded = naming.TagPrefix + "degraded"

// instance is an instance as Kitex sees it. It is made once for each naming.Instance, so that it is as pointer-stable.
type instance struct {
	addr   net.Addr
	weight int // here, since balancers ask for it thousands of times when they are rebuilt
	of     *naming.Instance
}

func newInstance(of *naming.Instance) *instance {
	network := of.Network
	if network == "" {
		network = "tcp"
	}
	weight := of.Weight
	if weight == 0 {
		weight = naming.DefaultWeight
	}
	return &instance{addr: utils.NewNetAddr(network, of.Addr), weight: weight, of: of}
}

// Address implements discovery.Instance.
func (i *instance) Address() net.Addr { return i.addr }

// Weight implements discovery.Instance.
func (i *instance) Weight() int { return i.weight }

// Tag implements discovery.Instance.
func (i *instance) Tag(key string) (string, bool) {
	if key == TagDegraded && i.of.Degraded {
		return "true", true
	}
	v, ok := i.of.Tags[key]
	return v, ok
}

// Tags returns the user's tags, as Kitex's own instances do. It must not be modified.
func (i *instance) Tags() map[string]string { return i.of.Tags }

// list is one view as Kitex sees it.
type list struct {
	of       *converter
	made     time.Time
	seq      uint64
	revision int64
	view     []*naming.Instance // what result was made of
	result   discovery.Result
}

// lists holds the latest list of each service, so that the clients of a catalog share the instances.
type lists struct {
	mu        sync.Mutex
	byService map[string]*converter
}

// listIdle is how long a list outlives its last use. Kitex resolves each service that is called every few seconds.
const listIdle = 10 * time.Minute

// get returns the service's converter, or nil.
func (l *lists) get(service string) *converter {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byService[service]
}

// of returns v's list, or that of a newer view.
func (l *lists) of(v *catalog.View) *list {
	l.mu.Lock()
	c := l.byService[v.Service]
	if c == nil {
		// The only moment when the map grows is the one to sweep it.
		for s, old := range l.byService {
			if time.Since(old.used) > listIdle {
				delete(l.byService, s)
			}
		}
		c = new(converter)
		l.byService[v.Service] = c
	}
	c.used = time.Now()
	l.mu.Unlock()
	return c.convert(v)
}

// converter makes the lists of one service.
type converter struct {
	used time.Time // guarded by lists.mu
	last atomic.Pointer[list]

	mu      sync.Mutex // guards everything that follows, and is held while converting
	settled *list
	next    *list // what will be settled
}

// settle is by how much what Kitex's cache is told lags behind what is picked of. On a change Kitex closes the pooled
// connections to what has gone: a call that was on its way there would find, with gRPC, its connection draining.
const settle = time.Second

// settle returns the list that Kitex's cache may know now. It is at most twice settle old, also while changes never cease.
func (c *converter) settle(now time.Time) *list {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last.Load()
	if c.settled == nil {
		c.settled = last
	}
	if c.next != nil && now.Sub(c.next.made) >= settle {
		c.settled, c.next = c.next, nil
	}
	if c.next == nil && c.settled != last {
		if c.next = last; now.Sub(last.made) >= settle {
			c.settled, c.next = last, nil
		}
	}
	return c.settled
}

// has reports whether the address is in the latest list.
func (c *converter) has(addr string) bool {
	return has(c.last.Load().view, addr)
}

// convert returns the list of v, or a newer one if there is one already.
func (c *converter) convert(v *catalog.View) *list {
	if l := c.last.Load(); l != nil && l.seq >= v.Seq {
		return l
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.last.Load()
	var prev []discovery.Instance
	out := make([]discovery.Instance, len(v.Instances))
	front, back := 0, 0
	if old != nil {
		if old.seq >= v.Seq {
			return old
		}
		prev = old.result.Instances
		front, back = ends.Common(old.view, v.Instances)
		copy(out, prev[:front])
		copy(out[len(out)-back:], prev[len(prev)-back:])
		prev = prev[front : len(prev)-back]
	}
	for n := front; n < len(out)-back; n++ {
		i := v.Instances[n]
		for len(prev) > 0 && prev[0].(*instance).of.Addr < i.Addr {
			prev = prev[1:]
		}
		if len(prev) > 0 && prev[0].(*instance).of == i {
			out[n] = prev[0]
		} else {
			out[n] = newInstance(i)
		}
	}
	l := &list{of: c, made: time.Now(), seq: v.Seq, revision: v.Revision, view: v.Instances, result: discovery.Result{Cacheable: true, CacheKey: v.Service, Instances: out}}
	c.last.Store(l)
	return l
}

// diff is discovery.DefaultDiff as a merge, which sees tags too. ok is false where the lists are not this package's.
func diff(cacheKey string, prev, next discovery.Result) (ch discovery.Change, ok bool) {
	ch.Result = discovery.Result{Cacheable: next.Cacheable, CacheKey: cacheKey, Instances: next.Instances}
	p, n := prev.Instances, next.Instances
	if len(p) == len(n) && (len(p) == 0 || &p[0] == &n[0]) {
		return ch, true
	}
	for len(p) > 0 && len(n) > 0 {
		a, isA := p[0].(*instance)
		b, isB := n[0].(*instance)
		switch {
		case !isA || !isB:
			return ch, false
		case a == b:
			p, n = p[1:], n[1:]
		case a.of.Addr == b.of.Addr:
			if !a.of.Equal(b.of) {
				ch.Updated = append(ch.Updated, b)
			}
			p, n = p[1:], n[1:]
		case a.of.Addr < b.of.Addr:
			ch.Removed = append(ch.Removed, a)
			p = p[1:]
		default:
			ch.Added = append(ch.Added, b)
			n = n[1:]
		}
	}
	ch.Removed = append(ch.Removed, p...)
	ch.Added = append(ch.Added, n...)
	return ch, true
}

// differs reports whether ch says anything.
func differs(ch discovery.Change) bool { return len(ch.Added)+len(ch.Updated)+len(ch.Removed) > 0 }
