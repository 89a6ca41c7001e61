package fault

import (
	"context"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// lateLeave has a process leave after its successor has registered the same address.
func lateLeave() rig.Scenario {
	return rig.Scenario{
		Name: "late-leave", Fault: "an old process leaves after its successor registered the same address",
		Promise: "the successor's keys stay, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			oldAddr, err := w.Address()
			if err != nil {
				return err
			}
			newAddr, err := w.Address()
			if err != nil {
				return err
			}
			shared, err := rig.NewForwarder(oldAddr)
			if err != nil {
				return err
			}
			defer shared.Close()
			spawn := func(listen string) (*rig.Instance, error) {
				i, err := w.SpawnListening(ctx, rig.ServiceA, "CHAOS_LISTEN="+listen, "MUSTER_ADVERTISE_ADDR="+shared.Addr())
				if err != nil {
					return nil, err
				}
				i.Addr = shared.Addr()
				return i, i.AwaitState(ctx, "serving")
			}
			old, err := spawn(oldAddr)
			if err != nil {
				return err
			}
			if err := w.Flowing(ctx); err != nil {
				return err
			}
			if _, err := spawn(newAddr); err != nil {
				return err
			}
			shared.Point(newAddr)
			before, err := w.Observer.Client().Get(ctx, old.Key())
			if err != nil {
				return err
			}
			if err := old.Term(ctx); err != nil {
				return err
			}
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			if err := w.Steady(ctx); err != nil {
				return err
			}
			after, err := w.Observer.Client().Get(ctx, old.Key())
			if err != nil {
				return err
			}
			if len(before.Kvs) != 1 || len(after.Kvs) != 1 || before.Kvs[0].ModRevision != after.Kvs[0].ModRevision {
				w.Breach("the old process touched its successor's key: %v, then %v", before.Kvs, after.Kvs)
			}
			return nil
		},
	}
}
