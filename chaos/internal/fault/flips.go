package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// flips turns an instance from fit to unfit and back a thousand times, without waiting for the registry.
func flips() rig.Scenario {
	return rig.Scenario{
		Name: "flips", Fault: "1,000 rapid fit/unfit flips of an instance", Promise: "ends as it should, nothing is left, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			i, err := w.SpawnListening(ctx, rig.ServiceA, "CHAOS_PROBE=10ms")
			if err != nil {
				return err
			}
			if err := i.AwaitState(ctx, "serving"); err != nil {
				return err
			}
			at := time.Now()
			e, err := i.Obey(ctx, "flips 1000")
			if err != nil {
				return err
			}
			w.Say("%d flips in %v", e.N, time.Since(at).Round(time.Millisecond))
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			return leaves(ctx, w, i)
		},
	}
}

// pairs registers and deregisters a thousand times, at whatever point of the registration the deregistration comes.
func pairs() rig.Scenario {
	return rig.Scenario{
		Name: "pairs", Fault: "1,000 pairs of register and deregister", Promise: "0 keys and 0 leases are left",
		Run: func(ctx context.Context, w *rig.World) error {
			p, err := w.Crowd(1, 0, crowdService)
			if err != nil {
				return err
			}
			at := time.Now()
			e, err := p.Obey(ctx, "pairs 1000")
			if err != nil {
				return err
			}
			w.Say("1,000 pairs in %v", time.Since(at).Round(time.Millisecond))
			if e.N > 0 {
				w.Breach("%d deregistrations failed", e.N)
			}
			v, err := w.Observer.Look(ctx)
			if err != nil {
				return err
			}
			if want := len(w.Instances()); len(v.Leases) != want || len(v.Keys) != 2*want {
				w.Breach("after the pairs there are %d leases and %d keys, want those of the %d instances: %s", len(v.Leases), len(v.Keys),
					want, fmt.Sprint(v.Keys))
			}
			return w.Steady(ctx)
		},
	}
}

// crowdService is what crowds register.
const crowdService = "crowd"
