package kitexext

import (
	"reflect"
	"strconv"
	"time"

	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/loadbalance"
)

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
	if picker != nil {
		picker = &guard{picker: picker, sub: p.sub, seq: seq, lists: &p.b.r.lists}
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
