package fault

import (
	"context"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// readAnew is within what time a client reads everything once more after etcd was away.
const readAnew = 5 * time.Second

// restoredFurther starts etcd with a snapshot, and lets the client see it only when more has been written to it than the
// client had seen before: neither the revision nor the term tells that the history is another one.
func restoredFurther() rig.Scenario {
	return rig.Scenario{
		Name: "restored_further", Fault: "etcd's data restored from an older snapshot; an instance comes, and more is written than was lost, while the client is cut off",
		Promise: "every instance serving within 3 s, the new one called within 8 s, no call fails", Proxied: true,
		Run: func(ctx context.Context, w *rig.World) error {
			if err := snapshot(ctx, w); err != nil {
				return err
			}
			if err := fill(ctx, w, 200); err != nil { // so that what comes after the loss is not beyond what was seen
				return err
			}
			if err := heard(ctx, w, rig.ServiceA); err != nil {
				return err
			}
			w.StopNodes(w.Nodes...)
			w.Lane("caller").Cut()
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
			fresh, err := w.SpawnListening(ctx, rig.ServiceA)
			if err != nil {
				return err
			}
			for _, i := range w.Instances() {
				if i == fresh {
					continue
				}
				if err := w.Listed(ctx, i, at, soon); err != nil {
					return err
				}
			}
			if err := fresh.AwaitState(ctx, "serving"); err != nil {
				return err
			}
			if err := fill(ctx, w, 1000); err != nil {
				return err
			}
			mark, healed := w.Ledger.Mark(), time.Now()
			if err := w.Lane("caller").Heal(ctx); err != nil {
				return err
			}
			for w.Ledger.Picked(mark, fresh.Addr, time.Time{}) == 0 && time.Since(healed) < 4*readAnew {
				pause(ctx, 20*time.Millisecond)
			}
			if took := time.Since(healed); took > readAnew+soon {
				w.Breach("the new instance was called %v after the end of the cut, not within %v", took.Round(time.Millisecond), readAnew+soon)
			}
			if err := w.Restored(ctx, time.Now(), w.TTL+afterElection); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}
