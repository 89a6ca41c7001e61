package fault

import (
	"context"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// terminatedWaiting ends one that has never been fit.
func terminatedWaiting() rig.Scenario {
	return rig.Scenario{
		Name: "sigterm-waiting", Fault: "SIGTERM while waiting to become fit", Promise: "never listed, gone at once, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			i, err := w.SpawnListening(ctx, rig.ServiceA, "CHAOS_UNFIT=1")
			if err != nil {
				return err
			}
			i.Expect(rig.Alive)
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			return leaves(ctx, w, i)
		},
	}
}
