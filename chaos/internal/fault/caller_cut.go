package fault

import (
	"context"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// callerCut cuts the caller off, while an instance comes and another goes.
func callerCut() rig.Scenario {
	return rig.Scenario{
		Name: "caller-cut", Fault: "one client cut off from etcd for 3 x TTL, while an instance comes and another leaves",
		Promise: "no call fails but on a connection that closes; it knows of both within 3 s of the end", Proxied: true,
		Run: func(ctx context.Context, w *rig.World) error {
			w.Lane("caller").Cut()
			at := time.Now()
			old := w.Of(rig.ServiceA)[0]
			if err := old.Term(ctx); err != nil {
				return err
			}
			ended := time.Now()
			if _, err := w.SpawnListening(ctx, rig.ServiceA); err != nil {
				return err
			}
			pause(ctx, 3*w.TTL-time.Since(at))
			deaf(w, at, time.Now(), old.Service, ended)
			at = time.Now()
			if err := w.Lane("caller").Heal(ctx); err != nil {
				return err
			}
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			if took := time.Since(at); took > soon {
				w.Breach("the new instance was called %v after the end of the cut, want 3s", took)
			}
			return w.Steady(ctx)
		},
	}
}
