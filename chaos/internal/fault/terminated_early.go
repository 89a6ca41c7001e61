package fault

import (
	"context"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// terminatedEarly ends processes that have just begun, some of them before Kitex registers, which it does after a second.
func terminatedEarly() rig.Scenario {
	return rig.Scenario{
		Name: "sigterm-early", Fault: "SIGTERM in a process's first 100 ms, and in its first 2 s, ten times each",
		Promise: "nothing is left, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			for n := range 20 {
				i, err := w.Spawn(ctx, rig.ServiceB)
				if err != nil {
					return err
				}
				within := 100
				if n%2 == 1 {
					within = 2000
				}
				pause(ctx, time.Duration(w.Rand.IntN(within))*time.Millisecond)
				if err := i.TermEarly(ctx); err != nil {
					return err
				}
			}
			if err := w.Restored(ctx, time.Now(), time.Second); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}
