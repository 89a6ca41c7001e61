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
			if err := fill(ctx, w, 50); err != nil { // the new data must not reach the old revision by chance
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
			w.StopNodes(w.Nodes...)
			if err := w.SaveData(); err != nil {
				return err
			}
			if err := back(ctx, w); err != nil {
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
			if err := fill(ctx, w, 50); err != nil {
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
	return w.Steady(ctx)
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
