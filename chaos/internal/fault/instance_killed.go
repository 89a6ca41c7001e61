package fault

import (
	"context"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// instanceKilled kills an instance under load.
func instanceKilled() rig.Scenario {
	return rig.Scenario{
		Name: "killed", Fault: "SIGKILL of an instance",
		Promise: "gone within TTL + 1 s; only calls in flight fail",
		Run: func(ctx context.Context, w *rig.World) error {
			i := w.Of(rig.ServiceA)[0]
			at := time.Now()
			i.Kill()
			w.Excuse(at.Add(-time.Second), at.Add(100*time.Millisecond), i.Service, 20, "in flight when the process was killed")
			if err := w.Gone(ctx, i, at, w.TTL+time.Second); err != nil {
				return err
			}
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}
