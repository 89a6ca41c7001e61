package fault

import (
	"context"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// instanceCut cuts one instance off from etcd, while everybody else reaches both.
func instanceCut() rig.Scenario {
	return rig.Scenario{
		Name: "instance-cut", Fault: "one instance cut off from etcd for 3 x TTL", Promise: "unlisted within TTL + 1 s, back within 3 s, no call fails",
		Proxied: true,
		Run: func(ctx context.Context, w *rig.World) error {
			i := w.Of(rig.ServiceA)[0]
			at := time.Now()
			w.Lane(i.Name).Cut()
			i.Expect(rig.Nothing)
			if err := w.Gone(ctx, i, at, w.TTL+time.Second); err != nil {
				return err
			}
			pause(ctx, 3*w.TTL-time.Since(at))
			i.Expect(rig.Serving)
			at = time.Now()
			if err := w.Lane(i.Name).Heal(ctx); err != nil {
				return err
			}
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}
