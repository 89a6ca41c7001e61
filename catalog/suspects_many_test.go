package catalog_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/naming"
)

// pace counts the dials of each second.
type pace struct {
	network
	mu     sync.Mutex
	second map[int64]int
}

func (p *pace) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	p.mu.Lock()
	p.second[time.Now().Unix()]++
	p.mu.Unlock()
	return p.network.dial(ctx, network, addr)
}

// TestDialsPerSecond: however many suspects there are, a client dials no more than 16 places of 10 ms allow. Few are dialed
// twice a second, so that one that dies is known within a second; with many it takes as long as a round.
func TestDialsPerSecond(t *testing.T) {
	const most = catalog.DefaultDials * 100
	for _, tt := range []struct {
		suspects, perSecond int
		known               time.Duration
	}{
		{12, 3 * 12, time.Second},
		{500, most, time.Second},
		{10_000, most, 8 * time.Second},
	} {
		t.Run(fmt.Sprint(tt.suspects), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, p := newFake(), &pace{second: map[int64]int{}}
				c := open(t, f, catalog.Options{Dial: p.dial})
				list := make([]*naming.Instance, tt.suspects)
				for i := range list {
					list[i] = inst(fmt.Sprintf("10.0.0.1:%05d", i+10_000))
				}
				f.set("svc", list)
				synctest.Wait()
				if _, err := c.Lookup(t.Context(), "svc"); err != nil {
					t.Fatal(err)
				}
				f.set("svc", nil)
				time.Sleep(20 * time.Second)

				p.set(list[tt.suspects/2].Addr, true)
				died, known := time.Now(), time.Duration(0)
				for range 100 {
					synctest.Wait()
					if v, _ := c.Lookup(t.Context(), "svc"); len(v.Instances) < tt.suspects {
						known = time.Since(died)
						break
					}
					time.Sleep(100 * time.Millisecond)
				}
				worst := 0
				for _, n := range p.second {
					worst = max(worst, n)
				}
				t.Logf("%d suspects: at most %d dials in a second, %d at a time; a death is known after %v", tt.suspects, worst, p.peak, known)
				if worst > tt.perSecond+catalog.DefaultDials || p.peak > catalog.DefaultDials {
					t.Errorf("%d dials in a second, %d at a time; at most %d and %d", worst, p.peak, tt.perSecond, catalog.DefaultDials)
				}
				if known == 0 || known > tt.known {
					t.Errorf("a death was known after %v, at most %v", known, tt.known)
				}
			})
		})
	}
}
