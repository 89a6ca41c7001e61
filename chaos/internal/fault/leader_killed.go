package fault

import (
	"context"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// leaderKilled kills the node that leads, twice: the second one has just taken over.
func leaderKilled() rig.Scenario {
	return rig.Scenario{
		Name: "leader-killed", Fault: "SIGKILL of etcd's leader, twice", Promise: "nothing is lost, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			for range 2 {
				leader, err := w.Leader(ctx)
				if err != nil {
					return err
				}
				w.StopNodes(w.Nodes[leader])
				at, err := w.Observer.AwaitAnswer(ctx)
				if err != nil {
					return err
				}
				if err := w.Restored(ctx, at, soon); err != nil {
					return err
				}
				pause(ctx, time.Second)
				if _, err := w.StartNodes(ctx); err != nil {
					return err
				}
			}
			return w.Steady(ctx)
		},
	}
}
