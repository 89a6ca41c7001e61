package kitexext

import (
	"context"
	"time"

	"github.com/cloudwego/kitex/pkg/loadbalance/lbcache"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
)

// settled reports whether Kitex's cache may know the latest list.
func (p *pusher) settled() bool {
	c := p.b.r.lists.get(p.service)
	return c == nil || c.settle(time.Now()) == c.last.Load()
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

// contain keeps a panic of the user's code from ending the process. It is deferred.
func (p *pusher) contain(while string) {
	if x := recover(); x != nil {
		p.b.r.c.Logger().Error("kitexext: a balancer or an OnPush panicked", "while", while, "service", p.service, "balancer", p.b.name, "panic", x)
	}
}
