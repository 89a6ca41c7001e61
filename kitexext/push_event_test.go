package kitexext

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudwego/kitex/pkg/loadbalance"
)

// What Kitex's cache is told last is the latest list, also where that becomes due while the cache is being told the one
// before.
func TestKitexIsToldOfTheLastChange(t *testing.T) {
	for _, slow := range []time.Duration{0, 20 * time.Millisecond, 2 * settle} {
		synctest.Test(t, func(t *testing.T) {
			x := newBench(t, loadbalance.NewWeightedRoundRobinBalancer())
			var mu sync.Mutex
			told, times := "", 0
			x.b.fire = func(service string) {
				res, err := x.r.Resolve(context.Background(), service)
				if err != nil {
					t.Error(err)
				}
				var all []string
				for _, i := range res.Instances {
					all = append(all, i.Address().String())
				}
				time.Sleep(slow)
				mu.Lock()
				defer mu.Unlock()
				told, times = strings.Join(all, " "), times+1
			}
			x.w.set("echo", at("10.0.0.1:1"))
			x.expect(x.result(), "10.0.0.1:1")
			x.w.set("echo", at("10.0.0.1:1"), at("10.0.0.2:1"))
			time.Sleep(10 * time.Millisecond)
			x.w.set("echo", at("10.0.0.2:1"))
			time.Sleep(10 * time.Second)
			mu.Lock()
			if told != "10.0.0.2:1" || times > 3 {
				t.Errorf("slow %v: told %d times, of %q last", slow, times, told)
			}
			mu.Unlock()
			x.b.release(nil)
		})
	}
}
