package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// blackHole lets the connections of all processes to etcd hang without closing them.
func blackHole(name string, d rig.Direction) rig.Scenario {
	return rig.Scenario{
		Name: "blackhole-" + name, Fault: fmt.Sprintf("connections to etcd hang without closing, %v, for 3 x TTL", d),
		Promise: "every instance serving within 3 s of the end, no call fails", Proxied: true,
		Run: func(ctx context.Context, w *rig.World) error {
			for _, l := range w.Lanes() {
				if err := l.Swallow(d); err != nil {
					return err
				}
			}
			pause(ctx, 3*w.TTL)
			at := time.Now()
			if err := w.HealAll(ctx); err != nil {
				return err
			}
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			if err := heard(ctx, w, rig.ServiceB); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}
