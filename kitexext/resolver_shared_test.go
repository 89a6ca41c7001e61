package kitexext

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/loadbalance"
	"github.com/cloudwego/kitex/pkg/loadbalance/lbcache"
)

// Kitex takes intervals that are not positive for its defaults, and so shares one cache between clients whose options only
// look different. The end of the first one leaves the second one with pushes.
func TestOptionsThatKitexTakesForEqual(t *testing.T) {
	t.Parallel()
	for _, tt := range [][2]lbcache.Options{
		{{}, {RefreshInterval: 5 * time.Second, ExpireInterval: 15 * time.Second}},
		{{RefreshInterval: 5 * time.Second}, {RefreshInterval: -1, ExpireInterval: -1}},
	} {
		t.Run(fmt.Sprintf("%v %v", tt[0].RefreshInterval, tt[1].RefreshInterval), func(t *testing.T) {
			t.Parallel()
			w := newWorld("test")
			w.set("echo", at(serve(t, "a")))
			b := at(serve(t, "b"))
			c := openCatalog(t, w)
			tt[0].Cacheable, tt[1].Cacheable = true, true
			first, closeFirst := newClosable(t, WithResolver(c), client.WithLoadBalancer(nil, &tt[0]))
			if got, err := say(t, first); err != nil || got != "a" {
				t.Fatalf("%q, %v", got, err)
			}
			pushed := newPushes()
			second := newClient(t, WithResolver(c, pushed.option()), client.WithLoadBalancer(nil, &tt[1]))
			if got, err := say(t, second); err != nil || got != "a" {
				t.Fatalf("%q, %v", got, err)
			}
			closeFirst()
			if got, err := say(t, second); err != nil || got != "a" {
				t.Fatalf("%q, %v", got, err)
			}
			w.set("echo", b, at("127.0.0.1:1"))
			pushed.wait(t, 2)
			w.set("echo", b)
			pushed.wait(t, 1)
			if got, err := say(t, second); err != nil || got != "b" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// Kitex has all calls wait for what the first of them asked: a short deadline of that one is not the others'.
func TestTheFirstCallsDeadlineIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, loadbalance.NewWeightedBalancer())
		defer x.b.release(nil)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		time.AfterFunc(80*time.Millisecond, func() { x.w.set("echo", at("10.0.0.1:1")) })
		res, err := x.r.Resolve(ctx, "echo")
		if err != nil || len(res.Instances) != 1 {
			t.Errorf("%v, %v", res.Instances, err)
		}
	})
}
