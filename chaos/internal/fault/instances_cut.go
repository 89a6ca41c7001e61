package fault

import (
	"context"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// instancesCut cuts all instances off, and not the caller: it sees every lease run out, while all of them live.
func instancesCut() rig.Scenario {
	return rig.Scenario{
		Name: "instances-cut", Fault: "all instances cut off from etcd for 3 x TTL, the client not", Proxied: true,
		Promise: "the client goes on calling those that still accept connections: no call fails; back within 3 s",
		Run: func(ctx context.Context, w *rig.World) error {
			for _, i := range w.Instances() {
				w.Lane(i.Name).Cut()
			}
			pause(ctx, 3*w.TTL)
			at := time.Now()
			if err := w.HealAll(ctx); err != nil {
				return err
			}
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}
