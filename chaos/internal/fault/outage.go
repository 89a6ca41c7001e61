package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// realTTL is Muster's default. Outages are tried with it, since what is promised after them is.
const realTTL = 10 * time.Second

// outage stops all nodes for that long.
func outage(name, words string, away time.Duration) rig.Scenario {
	return rig.Scenario{
		Name: name, Fault: fmt.Sprintf("all etcd nodes stopped for %s, TTL %v", words, realTTL),
		Promise: "every instance serving within 3 s of etcd's return, no call fails",
		TTL:     realTTL, Long: true, Limit: away + 2*time.Minute,
		Run: func(ctx context.Context, w *rig.World) error {
			w.StopNodes(w.Nodes...)
			pause(ctx, away)
			at, err := w.StartNodes(ctx)
			if err != nil {
				return err
			}
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			if err := w.Steady(ctx); err != nil {
				return err
			}
			return heard(ctx, w)
		},
	}
}

// majorityLost stops two nodes of three for a minute, among them the leader.
func majorityLost() rig.Scenario {
	return rig.Scenario{
		Name: "majority-lost", Fault: "the majority of etcd's nodes stopped for 60 s, TTL 10 s",
		Promise: "every instance serving within 3 s of etcd's return, no call fails", TTL: realTTL, Long: true, Limit: 3 * time.Minute,
		Run: func(ctx context.Context, w *rig.World) error {
			leader, err := w.Leader(ctx)
			if err != nil {
				return err
			}
			w.StopNodes(w.Nodes[leader], w.Nodes[(leader+1)%len(w.Nodes)])
			pause(ctx, time.Minute)
			at, err := w.StartNodes(ctx)
			if err != nil {
				return err
			}
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			if err := w.Steady(ctx); err != nil {
				return err
			}
			return heard(ctx, w)
		},
	}
}
