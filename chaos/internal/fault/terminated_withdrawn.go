package fault

import (
	"context"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// terminatedWithdrawn ends one that has withdrawn.
func terminatedWithdrawn() rig.Scenario {
	return rig.Scenario{
		Name: "sigterm-withdrawn", Fault: "a probe fails, then SIGTERM while withdrawn", Promise: "no call to it once withdrawn, gone at once, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			i := w.Of(rig.ServiceA)[0]
			i.Expect(rig.Alive)
			if _, err := i.Obey(ctx, "unfit"); err != nil {
				return err
			}
			if err := w.Restored(ctx, time.Now(), time.Second); err != nil {
				return err
			}
			withdrawn := time.Now()
			mark := w.Ledger.Mark()
			pause(ctx, 2*time.Second)
			if err := w.Flowing(ctx); err != nil {
				return err
			}
			if n := w.Ledger.Picked(mark, i.Addr, withdrawn.Add(rig.Grace)); n > 0 {
				w.Breach("%s was picked %d times after it had withdrawn", i.Name, n)
			}
			return leaves(ctx, w, i)
		},
	}
}
