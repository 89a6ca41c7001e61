package fault

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// leaseRevoked takes an instance's lease away by hand.
func leaseRevoked() rig.Scenario {
	return rig.Scenario{
		Name: "lease-revoked", Fault: "an instance's lease revoked by hand", Promise: "joined again under a new lease, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			for _, i := range w.Of(rig.ServiceA) {
				v, err := w.Observer.Look(ctx)
				if err != nil {
					return err
				}
				at := time.Now()
				if _, err := w.Observer.Client().Revoke(ctx, clientv3.LeaseID(v.Keys[i.Key()])); err != nil {
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
