package fault

import (
	"context"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// terminatedInOutage ends one while etcd is away.
func terminatedInOutage() rig.Scenario {
	return rig.Scenario{
		Name: "sigterm-outage", Fault: "SIGTERM of an instance while etcd is away",
		Promise: "ends within 10 s; its lease within TTL + 2 s of etcd's return; no call fails but on a connection that closes",
		Run: func(ctx context.Context, w *rig.World) error {
			w.StopNodes(w.Nodes...)
			pause(ctx, time.Second)
			i, at := w.Of(rig.ServiceA)[0], time.Now()
			if err := i.Term(ctx); err != nil {
				return err
			}
			ended := time.Now()
			w.Excuse(ended.Add(-time.Second), ended.Add(100*time.Millisecond), i.Service, 3, unheardClose)
			if took := time.Since(at); took > 10*time.Second {
				w.Breach("%s took %v to end", i.Name, took)
			}
			back, err := w.StartNodes(ctx)
			if err != nil {
				return err
			}
			if err := w.Gone(ctx, i, back, w.TTL+afterElection); err != nil {
				return err
			}
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}
