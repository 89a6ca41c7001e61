package kitexext

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/loadbalance"
	"github.com/cloudwego/kitex/pkg/loadbalance/lbcache"
	"github.com/cloudwego/kitex/pkg/rpcinfo"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
	"github.com/muster-go/muster/naming"
)

// history is a service's life, made before it is lived: present[r] says who is there at revision r.
type history struct {
	lists   [][]*naming.Instance
	present []map[string]bool
}

// newHistory returns the history of n addresses over the changes. Each change takes some out, puts some in, and gives
// some another weight.
func newHistory(n, changes int) *history {
	rnd := rand.New(rand.NewPCG(1, 2))
	now, out := many(n, 10), []*naming.Instance(nil)
	h := &history{lists: [][]*naming.Instance{nil}, present: []map[string]bool{{}}}
	for range changes {
		now = append([]*naming.Instance(nil), now...)
		reweigh := func(i int) {
			changed := *now[i]
			changed.Weight = changed.Weight%10 + 1
			now[i] = &changed
		}
		reweigh(0) // no revision is without a change, of which nobody would be told
		for range 1 + rnd.IntN(3) {
			switch i := rnd.IntN(len(now)); rnd.IntN(3) {
			case 0:
				out = append(out, now[i])
				now = append(now[:i], now[i+1:]...)
			case 1:
				if len(out) > 0 {
					now, out = append(now, out[0]), out[1:]
				}
			case 2:
				reweigh(i)
			}
		}
		in := make(map[string]bool, len(now))
		for _, i := range now {
			in[i.Addr] = true
		}
		h.lists, h.present = append(h.lists, now), append(h.present, in)
	}
	return h
}

// saw reports whether the address was there at any revision from first to last.
func (h *history) saw(addr string, first, last int64) bool {
	for r := max(first, 1); r <= last; r++ {
		if h.present[r][addr] {
			return true
		}
	}
	return false
}

// picker is a real client whose calls end where they would be sent.
type picker struct {
	cli     echosvc.Client
	close   func()
	applied atomic.Int64 // the latest revision that a push brought
	reached chan struct{}
}

type pickedKey struct{}

func newPicker(t testing.TB, c *catalog.Catalog, lb loadbalance.Loadbalancer, opts *lbcache.Options, last int64) *picker {
	t.Helper()
	p := &picker{reached: make(chan struct{})}
	var once sync.Once
	reached := func() { once.Do(func() { close(p.reached) }) }
	v, err := c.Lookup(t.Context(), "echo")
	if err != nil {
		t.Fatal(err)
	}
	if p.applied.Store(v.Revision); v.Revision == last {
		reached()
	}
	options := []client.Option{
		client.WithInstanceMW(func(endpointT) endpointT {
			return func(ctx context.Context, _, _ any) error {
				*ctx.Value(pickedKey{}).(*string) = rpcinfo.GetRPCInfo(ctx).To().Address().String()
				return nil
			}
		}),
		WithResolver(c, OnPush(func(e Push) {
			for old := p.applied.Load(); old < e.Revision && !p.applied.CompareAndSwap(old, e.Revision); old = p.applied.Load() {
			}
			if e.Revision == last {
				reached()
			}
		})),
	}
	if lb != nil || opts != nil {
		options = append(options, client.WithLoadBalancer(lb, opts))
	}
	p.cli, p.close = newClosable(t, options...)
	return p
}

// pick returns the address that a call goes to.
func (p *picker) pick(key string) (addr string, err error) {
	ctx := context.WithValue(context.WithValue(context.Background(), pickedKey{}, &addr), hashKey{}, key)
	_, err = p.cli.Say(ctx, &echo.Request{})
	return addr, err
}

// A thousand changes among a thousand instances reach every balancer of Kitex's while calls, first calls, Kitex's ticks
// and expiries, and clients that come and go race them. No call that begins after a change has been applied goes to an
// instance that the change took out.
func TestNoPickDisagreesWithTheLastSnapshot(t *testing.T) {
	t.Parallel()
	instances, changes := 1000, 1000
	h := newHistory(instances, changes)
	last := int64(changes)
	w := newWorld("stress")
	c := openCatalog(t, w)
	arrived, err := c.Subscribe("echo")
	if err != nil {
		t.Fatal(err)
	}
	defer arrived.Close()
	var revision atomic.Int64
	var turn atomic.Pointer[chan struct{}] // closed by the next revision
	live := func(r int64) {
		revision.Store(r)
		w.set("echo", h.lists[r]...)
		next := make(chan struct{})
		if old := turn.Swap(&next); old != nil {
			close(*old)
		}
		// Now and then the next change waits for the catalog; in between they overtake each other.
		for r%8 == 1 && (arrived.View() == nil || arrived.View().Revision < r) {
			<-arrived.Changed()
		}
	}
	live(1)

	ticking := func() *lbcache.Options {
		return &lbcache.Options{RefreshInterval: time.Millisecond, ExpireInterval: 20 * time.Millisecond}
	}
	over := make(chan struct{})
	var wg sync.WaitGroup
	var picks atomic.Int64
	check := func(name string, p, bound *picker, key string) bool {
		before := bound.applied.Load()
		addr, err := p.pick(key)
		if now := revision.Load(); err != nil || !h.saw(addr, before, now) {
			t.Errorf("%s: picked %q, %v; not there at any revision from %d to %d", name, addr, err, before, now)
			return false
		}
		picks.Add(1)
		return true
	}
	running := map[string]*picker{}
	for name, lb := range balancers() {
		opts := ticking()
		if name == "default" {
			opts = nil
		}
		p := newPicker(t, c, lb(), opts, last)
		running[name] = p
		for g := range 2 {
			wg.Go(func() { // calls: some at each revision, so that two cores have time for the changes too
				for n := 0; ; n++ {
					next := *turn.Load()
					for range 3 {
						if !check(name, p, p, strconv.Itoa(n*2+g)) {
							return
						}
					}
					select {
					case <-over:
						return
					case <-next:
					}
				}
			})
		}
		wg.Go(func() { // first calls, and clients that close while the others go on
			for n := range 10 {
				select {
				case <-over:
					return
				default:
				}
				young := newPicker(t, c, lb(), opts, last)
				bound := young
				if name == "default" {
					bound = p // all clients share one balancer, which may lag behind the catalog
				}
				ok := check(name+", first call", young, bound, strconv.Itoa(n))
				for range 20 {
					ok = ok && check(name+", young client", young, bound, strconv.Itoa(n))
				}
				young.close()
				if !ok {
					return
				}
			}
		})
	}
	for r := int64(2); r <= last; r++ {
		live(r)
	}
	for name, p := range running {
		select {
		case <-p.reached:
		case <-time.After(60 * time.Second):
			t.Fatalf("%s: the last change was not pushed within a minute; %d of %d", name, p.applied.Load(), last)
		}
	}
	close(over)
	wg.Wait()

	for name, p := range running {
		seen := map[string]bool{}
		weights := 0
		for _, i := range h.lists[last] {
			weights += i.Weight
		}
		for n := range weights {
			addr, err := p.pick(strconv.Itoa(n))
			if err != nil || !h.present[last][addr] {
				t.Fatalf("%s: picked %q, %v; not there at the end", name, addr, err)
			}
			seen[addr] = true
		}
		// A round robin visits everybody in one round.
		if round := name == "default" || name == "weighted round robin" || name == "interleaved"; round && len(seen) != len(h.lists[last]) {
			t.Errorf("%s: %d of %d were picked", name, len(seen), len(h.lists[last]))
		}
		p.close()
	}
	t.Logf("%d picks", picks.Load())
}
