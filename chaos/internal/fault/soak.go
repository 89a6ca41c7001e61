package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// soakSoon is how long the soak allows for everything to be as it should after a round, with the race detector on and
// several faults at once.
const soakSoon = 5 * time.Second

// Soak breaks things at random for that long: in each round something about etcd or the network, and meanwhile something
// about up to two instances. The rounds follow from the seed; when exactly things happen within them does not.
func Soak(d time.Duration) rig.Scenario {
	return rig.Scenario{
		Name: "soak", Fault: fmt.Sprintf("random faults for %v", d), Proxied: true, Limit: d + 5*time.Minute,
		Promise: "after each round everything serves within 5 s; only calls in flight at a kill, or to a frozen instance, fail",
		Run: func(ctx context.Context, w *rig.World) error {
			before, err := w.Goroutines(ctx)
			if err != nil {
				return err
			}
			end := time.Now().Add(d)
			for n := 1; time.Now().Before(end); n++ {
				if err := round(ctx, w, n); err != nil {
					return err
				}
				if w.Broken() {
					return nil // what follows would only blur it
				}
			}
			if err := w.Steady(ctx); err != nil {
				return err
			}
			return w.NoMoreGoroutines(ctx, before)
		},
	}
}

// wide is a fault of etcd or the network: begin, and what ends it.
type wide struct {
	name  string
	up    bool // etcd answers the observer meanwhile
	blind bool // the caller may not hear of what happens
	begin func(ctx context.Context, w *rig.World) (end func() error, err error)
}

// local is a fault of one instance; what it returns, if anything, ends it.
type local struct {
	name   string
	needs  bool // etcd must answer meanwhile
	freeze bool
	begin  func(ctx context.Context, w *rig.World, i *rig.Instance) (end func() error, err error)
}

func round(ctx context.Context, w *rig.World, n int) error {
	r := w.Rand
	out := wides()[r.IntN(len(wides()))]
	hold := time.Duration(500+r.IntN(8000)) * time.Millisecond
	if out.name == "peace" {
		hold = time.Duration(r.IntN(1000)) * time.Millisecond
	}
	var chosen []local
	for range r.IntN(3) {
		l := locals()[r.IntN(len(locals()))]
		if l.needs && !out.up || l.freeze && out.name != "peace" {
			continue
		}
		chosen = append(chosen, l)
	}
	line := fmt.Sprintf("round %d: %s for %v", n, out.name, hold.Round(100*time.Millisecond))
	began := time.Now()
	end, err := out.begin(ctx, w)
	if err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	ends := []func() error{end}
	// One instance of each service at most, so that two healthy ones are left.
	services := []string{rig.ServiceA, rig.ServiceB}
	r.Shuffle(2, func(a, b int) { services[a], services[b] = services[b], services[a] })
	for k, l := range chosen {
		pause(ctx, rand.N(hold/4+1))
		of := w.Of(services[k])
		i := of[r.IntN(len(of))]
		line += fmt.Sprintf(", %s of %s", l.name, i.Name)
		if out.blind {
			w.Blind(time.Now(), began.Add(hold+soakSoon), i.Service, unheard(hold+soon), "the caller is cut off")
		}
		end, err := l.begin(ctx, w, i)
		if err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		if end != nil {
			ends = append(ends, end)
		}
	}
	w.Say("%s", line)
	pause(ctx, hold-time.Since(began))
	for _, end := range ends {
		if err := end(); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	if err := w.Restored(ctx, time.Now(), soakSoon); err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	return nil
}

func wides() []wide {
	cutAll := func(how func(*rig.Lane) error, which func(w *rig.World) []*rig.Lane) func(context.Context, *rig.World) (func() error, error) {
		return func(ctx context.Context, w *rig.World) (func() error, error) {
			for _, l := range which(w) {
				if err := how(l); err != nil {
					return nil, err
				}
			}
			return func() error { return w.HealAll(ctx) }, nil
		}
	}
	everybody := (*rig.World).Lanes
	caller := func(w *rig.World) []*rig.Lane { return []*rig.Lane{w.Lane("caller")} }
	instances := func(w *rig.World) (all []*rig.Lane) {
		for _, i := range w.Instances() {
			all = append(all, w.Lane(i.Name))
		}
		return all
	}
	cut := func(l *rig.Lane) error { l.Cut(); return nil }
	return []wide{
		{name: "peace", up: true, begin: func(context.Context, *rig.World) (func() error, error) { return func() error { return nil }, nil }},
		{name: "a node restarted", up: true, begin: func(ctx context.Context, w *rig.World) (func() error, error) {
			w.StopNodes(w.Nodes[w.Rand.IntN(len(w.Nodes))])
			if _, err := w.Observer.AwaitAnswer(ctx); err != nil {
				return nil, err
			}
			return func() error { _, err := w.StartNodes(ctx); return err }, nil
		}},
		{name: "outage", blind: true, begin: func(ctx context.Context, w *rig.World) (func() error, error) {
			w.StopNodes(w.Nodes...)
			return func() error { _, err := w.StartNodes(ctx); return err }, nil
		}},
		{name: "majority lost", blind: true, begin: func(ctx context.Context, w *rig.World) (func() error, error) {
			n := w.Rand.IntN(len(w.Nodes))
			w.StopNodes(w.Nodes[n], w.Nodes[(n+1)%len(w.Nodes)])
			return func() error { _, err := w.StartNodes(ctx); return err }, nil
		}},
		{name: "wiped", blind: true, begin: func(ctx context.Context, w *rig.World) (func() error, error) {
			w.StopNodes(w.Nodes...)
			for _, n := range w.Nodes {
				if err := n.Wipe(); err != nil {
					return nil, err
				}
			}
			return func() error {
				if _, err := w.StartNodes(ctx); err != nil {
					return err
				}
				return w.Observer.Open(ctx)
			}, nil
		}},
		{name: "black hole", up: true, blind: true, begin: cutAll(func(l *rig.Lane) error { return l.Swallow(rig.Both) }, everybody)},
		{name: "black hole to etcd", up: true, blind: true, begin: cutAll(func(l *rig.Lane) error { return l.Swallow(rig.Up) }, everybody)},
		{name: "black hole from etcd", up: true, blind: true, begin: cutAll(func(l *rig.Lane) error { return l.Swallow(rig.Down) }, everybody)},
		{name: "delay of 300 ms", up: true, blind: true, begin: cutAll(func(l *rig.Lane) error { return l.Delay(300) }, everybody)},
		{name: "instances cut", up: true, begin: cutAll(cut, instances)},
		{name: "caller cut", up: true, blind: true, begin: cutAll(cut, caller)},
	}
}

func locals() []local {
	replace := func(ctx context.Context, w *rig.World, i *rig.Instance) error {
		_, err := w.SpawnListening(ctx, i.Service)
		return err
	}
	return []local{
		{name: "SIGKILL", begin: func(ctx context.Context, w *rig.World, i *rig.Instance) (func() error, error) {
			at := time.Now()
			i.Kill()
			w.Excuse(at.Add(-time.Second), at.Add(100*time.Millisecond), i.Service, 20, "in flight when a process was killed")
			return nil, replace(ctx, w, i)
		}},
		{name: "SIGTERM", begin: func(ctx context.Context, w *rig.World, i *rig.Instance) (func() error, error) {
			if err := replace(ctx, w, i); err != nil {
				return nil, err
			}
			return nil, i.Term(ctx)
		}},
		{name: "SIGSTOP", freeze: true, begin: func(ctx context.Context, w *rig.World, i *rig.Instance) (func() error, error) {
			at, most := time.Now(), unheard(w.TTL+time.Second)
			i.Signal(syscall.SIGSTOP)
			w.Excuse(at.Add(-time.Second), at.Add(w.TTL+1500*time.Millisecond), i.Service, most, "picked a frozen instance")
			return func() error {
				pause(ctx, rand.N(2*w.TTL))
				i.Signal(syscall.SIGCONT)
				return nil
			}, nil
		}},
		{name: "probe failing", begin: func(_ context.Context, _ *rig.World, i *rig.Instance) (func() error, error) {
			return func() error { return i.Order("fit") }, i.Order("unfit")
		}},
		{name: "10 flips", begin: func(_ context.Context, _ *rig.World, i *rig.Instance) (func() error, error) {
			return nil, i.Order("flips 10")
		}},
		{name: "lease revoked", needs: true, begin: func(ctx context.Context, w *rig.World, i *rig.Instance) (func() error, error) {
			v, err := w.Observer.Look(ctx)
			if err != nil {
				return nil, err
			}
			if lease := v.Keys[i.Roster()]; lease != 0 {
				_, _ = w.Observer.Client().Revoke(ctx, clientv3.LeaseID(lease))
			}
			return nil, nil
		}},
		{name: "serving key deleted", needs: true, begin: func(ctx context.Context, w *rig.World, i *rig.Instance) (func() error, error) {
			_, err := w.Observer.Client().Delete(ctx, i.Key())
			return nil, err
		}},
		{name: "roster key deleted", needs: true, begin: func(ctx context.Context, w *rig.World, i *rig.Instance) (func() error, error) {
			_, err := w.Observer.Client().Delete(ctx, i.Roster())
			return nil, err
		}},
	}
}
