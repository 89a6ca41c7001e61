package kitexext

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/loadbalance"
	"github.com/cloudwego/kitex/pkg/loadbalance/lbcache"

	"github.com/muster-go/muster/catalog"
)

// bench is a balancer under test, without Kitex's cache, whose goroutines no bubble survives.
type bench struct {
	t *testing.T
	w *world
	c *catalog.Catalog
	r *resolver
	b *balancer
}

func newBench(t *testing.T, inner loadbalance.Loadbalancer) *bench {
	t.Helper()
	w := newWorld("test")
	c := openCatalog(t, w)
	r, err := resolverOf(c)
	if err != nil {
		t.Fatal(err)
	}
	x := &bench{t: t, w: w, c: c, r: r, b: r.acquire(inner, lbcache.Options{})}
	x.b.fire = func(string) {}
	return x
}

// result is what Kitex's cache would hold now.
func (x *bench) result() discovery.Result {
	x.t.Helper()
	synctest.Wait()
	res, err := x.r.Resolve(x.t.Context(), "echo")
	if err != nil {
		x.t.Fatal(err)
	}
	res.CacheKey = x.r.Name() + ":" + res.CacheKey
	return res
}

// picks returns the addresses that n calls with that result go to, sorted, each once.
func (x *bench) picks(res discovery.Result, n int) string {
	x.t.Helper()
	var got []string
	for range n {
		p := x.b.GetPicker(res)
		if i := p.Next(x.t.Context(), nil); i != nil {
			got = append(got, i.Address().String())
		}
		recycle(p)
	}
	slices.Sort(got)
	return strings.Join(slices.Compact(got), " ")
}

func (x *bench) expect(res discovery.Result, want string) {
	x.t.Helper()
	synctest.Wait()
	if got := x.picks(res, 20); got != want {
		x.t.Errorf("picked %q, want %q", got, want)
	}
}

// What Kitex's cache holds does not matter to a pick.
func TestAPickIgnoresAnOldResult(t *testing.T) {
	for name, lb := range balancers() {
		if lb() == nil || name == "own, no cache" { // that picks the first of what it gets
			continue
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newBench(t, lb())
				x.w.set("echo", at("10.0.0.1:1"))
				old := x.result()
				x.expect(old, "10.0.0.1:1")
				x.w.set("echo", at("10.0.0.2:1"))
				x.expect(old, "10.0.0.2:1")
				x.w.set("echo")
				x.expect(old, "")
				x.w.set("echo", at("10.0.0.3:1"))
				x.expect(old, "10.0.0.3:1")
				x.b.release(nil)
			})
		})
	}
}

func TestAnIdlePusherEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, loadbalance.NewConsistBalancer(hashOption()))
		x.w.set("echo", at("10.0.0.1:1"))
		old := x.result()
		x.expect(old, "10.0.0.1:1")
		for range 10 {
			time.Sleep(50 * time.Second)
			x.expect(old, "10.0.0.1:1")
		}
		first := x.b.pushers.Load().only
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if x.b.pushers.Load().only != nil {
			t.Fatal("still there after two minutes")
		}
		<-first.done
		x.w.set("echo", at("10.0.0.2:1"))
		x.expect(x.result(), "10.0.0.2:1")
		if x.b.pushers.Load().only == first {
			t.Error("the old one is back")
		}
		x.b.release(nil)
	})
}

// slow is a balancer that takes its time to rebuild, as Kitex's default does for thousands of unequal weights.
type slow struct {
	loadbalance.Loadbalancer
	takes    time.Duration
	rebuilds atomic.Int64
}

func (s *slow) Rebalance(ch discovery.Change) {
	s.rebuilds.Add(1)
	time.Sleep(s.takes)
	s.Loadbalancer.(loadbalance.Rebalancer).Rebalance(ch)
	s.GetPicker(ch.Result)
}

func (s *slow) Delete(ch discovery.Change) { s.Loadbalancer.(loadbalance.Rebalancer).Delete(ch) }

func TestExpensiveRebuildsAreConflated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &slow{Loadbalancer: loadbalance.NewWeightedBalancer(), takes: 50 * time.Millisecond}
		x := newBench(t, inner)
		list := many(200, 3)
		x.w.set("echo", list...)
		old := x.result()
		x.picks(old, 1)
		for n := range 300 { // three seconds of changes
			list = slices.Clone(list)
			i := *list[n%200]
			i.Weight = i.Weight%3 + 1
			list[n%200] = &i
			x.w.set("echo", list...)
			time.Sleep(10 * time.Millisecond)
		}
		if n := inner.rebuilds.Load(); n < 15 || n > 21 {
			t.Errorf("%d rebuilds of 50 ms in 3 s, want about 20", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		p, last := x.b.pushers.Load().only, x.r.lists.get("echo").last.Load()
		if got := p.ready.Load().result.Instances; &got[0] != &last.result.Instances[0] {
			t.Error("the last change has not arrived")
		}

		// What leaves while the next rebuild has to wait is not picked for all that.
		x.w.set("echo", list[1:]...)
		time.Sleep(50 * time.Millisecond)
		synctest.Wait() // rebuilt; now comes the pause
		x.w.set("echo", list[150:]...)
		synctest.Wait()
		if n := len(p.ready.Load().result.Instances); n != 199 {
			t.Fatalf("ready has %d instances: this is no pause", n)
		}
		for range 2000 {
			i := x.b.GetPicker(old).Next(t.Context(), nil)
			if !slices.ContainsFunc(list[150:], func(n *instanceOf) bool { return n.Addr == i.Address().String() }) {
				t.Fatalf("picked %s, which has left", i.Address())
			}
		}
		x.w.set("echo")
		synctest.Wait()
		if i := x.b.GetPicker(old).Next(t.Context(), nil); i != nil {
			t.Errorf("picked %s, and nobody is left", i.Address())
		}
		x.b.release(nil)
	})
}

// moody is a balancer that panics on command.
type moody struct {
	loadbalance.Loadbalancer
	mu   sync.Mutex
	when string
}

func (m *moody) set(when string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.when = when
}

func (m *moody) panics(at string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.when == at {
		panic("moody: " + at)
	}
}

func (m *moody) GetPicker(res discovery.Result) loadbalance.Picker {
	m.panics("pick")
	return m.Loadbalancer.GetPicker(res)
}

func (m *moody) Rebalance(ch discovery.Change) {
	m.panics("rebalance")
	m.Loadbalancer.(loadbalance.Rebalancer).Rebalance(ch)
}

func (m *moody) Delete(ch discovery.Change) {
	m.panics("delete")
	m.Loadbalancer.(loadbalance.Rebalancer).Delete(ch)
}

func TestPanicsAreContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &moody{Loadbalancer: loadbalance.NewWeightedBalancer()}
		x := newBench(t, inner)
		told := 0
		hook := func(Push) { told++; panic("moody: told") }
		x.b.addHook(&hook)
		x.w.set("echo", at("10.0.0.1:1"))
		res := x.result()

		inner.set("pick")
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the first call has not got the panic")
				}
			}()
			x.b.GetPicker(res)
		}()
		inner.set("")
		x.expect(res, "10.0.0.1:1")

		inner.set("rebalance")
		x.w.set("echo", at("10.0.0.2:1"))
		x.expect(res, "10.0.0.2:1")
		inner.set("")
		x.w.set("echo", at("10.0.0.3:1"))
		x.expect(res, "10.0.0.3:1")
		if told != 2 {
			t.Errorf("told %d times", told)
		}
		inner.set("delete")
		x.b.release(&hook)
	})
}

func TestTheEndOfAClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, loadbalance.NewWeightedBalancer())
		x.w.set("echo", at("10.0.0.1:1"))
		res := x.result()
		x.expect(res, "10.0.0.1:1")
		p := x.b.pushers.Load().only
		x.b.release(nil)
		<-p.done // joined
		if len(x.r.balancers) != 0 {
			t.Error("the resolver remembers it")
		}
		// A call that was on its way gets what Kitex has, and starts nothing.
		x.expect(res, "10.0.0.1:1")
		if x.b.pushers.Load().only != nil {
			t.Error("a pusher for a closed client")
		}
	})
}

// The default balancer is one for all clients of a catalog, as in Kitex, and lives while one of them does.
func TestClientsShareTheDefaultBalancer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, loadbalance.NewWeightedBalancer())
		shared := lbcache.Options{Cacheable: true}
		one, two := x.r.acquire(loadbalance.NewWeightedBalancer(), shared), x.r.acquire(loadbalance.NewWeightedBalancer(), shared)
		slower := shared
		slower.RefreshInterval = time.Minute
		three := x.r.acquire(loadbalance.NewWeightedBalancer(), slower)
		if one != two || one == three || one == x.b || one.Name() != "weight_round_robin" || x.b.Name() == one.Name() {
			t.Errorf("names %q, %q, %q, %q", one.Name(), two.Name(), three.Name(), x.b.Name())
		}
		one.fire = func(string) {}
		x.b.release(nil)
		three.release(nil)
		x.b = one
		x.w.set("echo", at("10.0.0.1:1"))
		res := x.result()
		x.expect(res, "10.0.0.1:1")
		one.release(nil)
		x.w.set("echo", at("10.0.0.2:1"))
		x.expect(res, "10.0.0.2:1")
		two.release(nil)
		again := x.r.acquire(loadbalance.NewWeightedBalancer(), shared)
		if again != one {
			t.Error("Kitex's cache would still hold the first one")
		}
		x.w.set("echo", at("10.0.0.3:1"))
		x.expect(res, "10.0.0.3:1")
		again.release(nil)
	})
}

func TestTheEndOfTheCatalog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, loadbalance.NewConsistBalancer(hashOption()))
		x.w.set("echo", at("10.0.0.1:1"))
		res := x.result()
		x.expect(res, "10.0.0.1:1")
		p := x.b.pushers.Load().only
		_ = x.c.Close()
		select {
		case <-p.done:
		default:
			t.Error("Close has not joined the pusher")
		}
		x.expect(res, "10.0.0.1:1")
		x.b.release(nil)
		if x.r.acquire(plain{}, lbcache.Options{}) != nil {
			t.Error("a balancer of a closed catalog")
		}
	})
}

// Results of another resolver are the inner balancer's business, and so are their changes.
func TestForeignResultsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, loadbalance.NewWeightedBalancer())
		res := discovery.Result{Cacheable: true, CacheKey: "other:echo", Instances: []discovery.Instance{discovery.NewInstance("tcp", "10.9.9.9:1", 10, nil)}}
		x.expect(res, "10.9.9.9:1")
		next := res
		next.Instances = []discovery.Instance{discovery.NewInstance("tcp", "10.8.8.8:1", 10, nil)}
		ch, ok := x.r.Diff(res.CacheKey, res, next)
		if !ok || len(ch.Added) != 1 || len(ch.Removed) != 1 {
			t.Errorf("diff = %+v, %v", ch, ok)
		}
		x.b.Rebalance(ch)
		x.expect(res, "10.8.8.8:1")
		x.b.Delete(ch)
		x.expect(res, "10.9.9.9:1")
		x.b.release(nil)
	})
}

func TestAPickAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	w := newWorld("test")
	c := openCatalog(t, w)
	w.set("echo", many(100, 3)...)
	r, err := resolverOf(c)
	if err != nil {
		t.Fatal(err)
	}
	b := r.acquire(loadbalance.NewWeightedBalancer(), lbcache.Options{Cacheable: true})
	defer b.release(nil)
	b.fire = func(string) {}
	res, err := r.Resolve(t.Context(), "echo")
	if err != nil {
		t.Fatal(err)
	}
	res.CacheKey = r.Name() + ":" + res.CacheKey
	ctx := context.Background()
	if n := testing.AllocsPerRun(1000, func() { b.GetPicker(res).Next(ctx, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
