package fault

import (
	"context"
	"errors"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// terminatedHeld ends one that the floor keeps serving, all of its service being unfit.
func terminatedHeld() rig.Scenario {
	return rig.Scenario{
		Name: "sigterm-held", Fault: "all of a service become unfit, then SIGTERM of one while held",
		Promise: "the floor keeps serving, the one is gone at once, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			for _, i := range w.Of(rig.ServiceA) {
				if err := i.Order("unfit"); err != nil {
					return err
				}
			}
			hctx, cancel := context.WithTimeoutCause(ctx, 15*time.Second, errors.New("not within 15s"))
			defer cancel()
			for _, i := range w.Of(rig.ServiceA) {
				if err := i.AwaitState(hctx, "held"); err != nil {
					return err
				}
			}
			if err := leaves(ctx, w, w.Of(rig.ServiceA)[0]); err != nil {
				return err
			}
			for _, i := range w.Of(rig.ServiceA) {
				if _, err := i.Obey(ctx, "fit"); err != nil {
					return err
				}
			}
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}
