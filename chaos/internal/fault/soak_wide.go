package fault

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// wide is a fault of etcd or the network: begin, and what ends it.
type wide struct {
	name  string
	up    bool // etcd answers the observer meanwhile
	blind bool // the caller may not hear of what happens
	mute  bool // the instances can't tell what happens to them
	begin func(ctx context.Context, w *rig.World) (end func() error, err error)
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
		{name: "an older snapshot", blind: true, begin: func(ctx context.Context, w *rig.World) (func() error, error) {
			w.StopNodes(w.Nodes...)
			if err := w.SaveData(); err != nil {
				return nil, err
			}
			if _, err := w.StartNodes(ctx); err != nil {
				return nil, err
			}
			for _, i := range w.Instances() { // both at once: a serving key alone would look like a withdrawal
				if _, err := w.Observer.Client().Txn(ctx).Then(clientv3.OpDelete(i.Key()), clientv3.OpDelete(i.Roster())).Commit(); err != nil {
					return nil, err
				}
			}
			w.StopNodes(w.Nodes...)
			return func() error {
				if err := w.RestoreData(); err != nil {
					return err
				}
				if _, err := w.StartNodes(ctx); err != nil {
					return err
				}
				return w.Observer.Open(ctx)
			}, nil
		}},
		{name: "history compacted behind the caller's back", up: true, blind: true, begin: func(ctx context.Context, w *rig.World) (func() error, error) {
			w.Lane("caller").Cut()
			if err := fill(ctx, w, 20); err != nil {
				return nil, err
			}
			return func() error {
				if err := compact(ctx, w); err != nil {
					return err
				}
				return w.HealAll(ctx)
			}, nil
		}},
		{name: "black hole", up: true, blind: true, begin: cutAll(func(l *rig.Lane) error { return l.Swallow(rig.Both) }, everybody)},
		{name: "black hole to etcd", up: true, blind: true, begin: cutAll(func(l *rig.Lane) error { return l.Swallow(rig.Up) }, everybody)},
		{name: "black hole from etcd", up: true, blind: true, begin: cutAll(func(l *rig.Lane) error { return l.Swallow(rig.Down) }, everybody)},
		{name: "delay of 300 ms", up: true, blind: true, begin: cutAll(func(l *rig.Lane) error { return l.Delay(300) }, everybody)},
		{name: "instances cut", up: true, mute: true, begin: cutAll(cut, instances)},
		{name: "caller cut", up: true, blind: true, begin: cutAll(cut, caller)},
	}
}
