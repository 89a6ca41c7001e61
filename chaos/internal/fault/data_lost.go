package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// wiped starts etcd anew with nothing in it.
func wiped() rig.Scenario {
	return rig.Scenario{
		Name: "wiped", Fault: "etcd's data wiped, started empty", Promise: "every instance serving within 3 s, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			if err := churn(ctx, w); err != nil {
				return err
			}
			w.StopNodes(w.Nodes...)
			for _, n := range w.Nodes {
				if err := n.Wipe(); err != nil {
					return err
				}
			}
			return back(ctx, w)
		},
	}
}

// restoredOlder starts etcd with a snapshot from before one instance left and another came.
func restoredOlder() rig.Scenario {
	return rig.Scenario{
		Name: "restored", Fault: "etcd's data restored from an older snapshot",
		Promise: "every instance serving within 3 s, what has left since gone within TTL + 2 s, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			if err := snapshot(ctx, w); err != nil {
				return err
			}
			left := w.Of(rig.ServiceA)[0]
			if err := left.Term(ctx); err != nil {
				return err
			}
			if _, err := w.SpawnListening(ctx, rig.ServiceA); err != nil {
				return err
			}
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			if err := churn(ctx, w); err != nil {
				return err
			}
			w.StopNodes(w.Nodes...)
			if err := w.RestoreData(); err != nil {
				return err
			}
			at, err := w.StartNodes(ctx)
			if err != nil {
				return err
			}
			if err := w.Observer.Open(ctx); err != nil {
				return err
			}
			for _, i := range w.Instances() {
				if err := w.Listed(ctx, i, at, soon); err != nil {
					return err
				}
			}
			// The snapshot brought the lease of the one that has left back, and etcd gives it a full life.
			if err := w.Gone(ctx, left, at, w.TTL+afterElection); err != nil {
				return err
			}
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			if err := heard(ctx, w, rig.ServiceB); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}

// afterElection is what etcd adds to a lease's TTL when a leader takes office, its election timeout of 1 s, and what it
// takes to notice that a lease has run out, half a second and a moment, beside the second that is always allowed.
const afterElection = 2 * time.Second

// back starts the nodes, has the observer look at what they hold now, and waits until everything is as it should be.
func back(ctx context.Context, w *rig.World) error {
	at, err := w.StartNodes(ctx)
	if err != nil {
		return err
	}
	if err := w.Observer.Open(ctx); err != nil {
		return err
	}
	if err := w.Restored(ctx, at, soon); err != nil {
		return err
	}
	if err := heard(ctx, w, rig.ServiceB); err != nil {
		return err
	}
	return w.Steady(ctx)
}

// snapshot saves the data of a moment, and goes on from there.
func snapshot(ctx context.Context, w *rig.World) error {
	w.StopNodes(w.Nodes...)
	if err := w.SaveData(); err != nil {
		return err
	}
	return back(ctx, w)
}

// heard replaces an instance of a service and checks that the caller hears of it: what it knew before goes on serving it even where its
// watch has gone silent.
func heard(ctx context.Context, w *rig.World, service string) error {
	if err := w.Of(service)[0].Term(ctx); err != nil {
		return err
	}
	if _, err := w.SpawnListening(ctx, service); err != nil {
		return err
	}
	return w.Restored(ctx, time.Now(), soon)
}

// churn gives the keys a history that what happens after the loss of the data can't reach by chance: a watch that was not
// told would go on where it was, and stay silent.
func churn(ctx context.Context, w *rig.World) error {
	for range 15 {
		for _, i := range w.Instances() {
			if _, err := w.Observer.Client().Delete(ctx, i.Key()); err != nil {
				return err
			}
		}
		if err := w.Restored(ctx, time.Now(), time.Second); err != nil {
			return err
		}
	}
	return nil
}

// fill writes keys that have nothing to do with Muster.
func fill(ctx context.Context, w *rig.World, n int) error {
	for i := range n {
		if _, err := w.Observer.Client().Put(ctx, fmt.Sprintf("elsewhere/%d", i), "x"); err != nil {
			return err
		}
	}
	return nil
}
