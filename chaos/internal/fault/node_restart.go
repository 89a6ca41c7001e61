package fault

import (
	"context"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// nodeRestart restarts each node in turn, as an upgrade of etcd does.
func nodeRestart() rig.Scenario {
	return rig.Scenario{
		Name: "node-restart", Fault: "each etcd node restarted, one after another", Promise: "nothing is lost, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			for _, n := range w.Nodes {
				w.StopNodes(n)
				pause(ctx, 500*time.Millisecond)
				at, err := w.StartNodes(ctx)
				if err != nil {
					return err
				}
				if err := w.Restored(ctx, at, soon); err != nil {
					return err
				}
			}
			return w.Steady(ctx)
		},
	}
}
