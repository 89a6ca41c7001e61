package fault

import (
	"context"
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
			before, err := w.Goroutines(ctx)
			if err != nil {
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
			if err := w.NoMoreGoroutines(ctx, before); err != nil {
				return err
			}
			return leaves(ctx, w, i)
		},
	}
}

// pairs registers and deregisters a thousand times, at whatever point of the registration the deregistration comes.
func pairs() rig.Scenario {
	return rig.Scenario{
		Name: "pairs", Fault: "1,000 pairs of register and deregister", Promise: "0 keys and 0 leases are left after a second",
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
			// What a deregistration cut short is given back in the background, long before a lease would run out.
			lctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			want := len(w.Instances())
			for {
				v, err := w.Observer.Look(ctx)
				if err != nil {
					return err
				}
				if len(v.Leases) == want && len(v.Keys) == 2*want {
					break
				}
				if lctx.Err() != nil {
					w.Breach("after the pairs there are %d leases and keys %v, want those of the %d instances", len(v.Leases), v.Keys, want)
					break
				}
				pause(ctx, 20*time.Millisecond)
			}
			return w.Steady(ctx)
		},
	}
}

// crowdService is what crowds register.
const crowdService = "crowd"
