package fault

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// rollingRestart replaces all instances, one after another, as a deployment does.
func rollingRestart() rig.Scenario {
	return rig.Scenario{
		Name: "rolling-restart", Fault: "rolling restart of all instances", Promise: "no call fails",
		Run: func(ctx context.Context, w *rig.World) error { return roll(ctx, w) },
	}
}

// rollingRestartFlapping does so while the probe of one instance of each service flaps.
func rollingRestartFlapping() rig.Scenario {
	return rig.Scenario{
		Name: "rolling-restart-flapping", Fault: "rolling restart while probes flap", Promise: "no call fails", Each: 4,
		Run: func(ctx context.Context, w *rig.World) error {
			a, b := w.Of(rig.ServiceA)[0], w.Of(rig.ServiceB)[0]
			fctx, stop := context.WithCancel(ctx)
			defer stop()
			done := make(chan error, 2)
			for _, i := range []*rig.Instance{a, b} {
				random := rand.New(rand.NewPCG(w.Rand.Uint64(), 0))
				go func() {
					for fctx.Err() == nil {
						for _, order := range []string{"unfit", "fit"} {
							if _, err := i.Obey(ctx, order); err != nil {
								done <- err
								return
							}
							pause(fctx, time.Duration(random.IntN(500))*time.Millisecond)
						}
					}
					done <- nil
				}()
			}
			if err := rollBut(ctx, w, a, b); err != nil {
				return err
			}
			stop()
			for range 2 {
				if err := <-done; err != nil {
					return err
				}
			}
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			return roll(ctx, w)
		},
	}
}

func roll(ctx context.Context, w *rig.World) error {
	if err := rollBut(ctx, w); err != nil {
		return err
	}
	if err := w.Restored(ctx, time.Now(), soon); err != nil {
		return err
	}
	return w.Steady(ctx)
}

// rollBut replaces each instance but some: the new one at the same address, once the old one has gone.
func rollBut(ctx context.Context, w *rig.World, keep ...*rig.Instance) error {
	for _, i := range w.Instances() {
		if contains(keep, i) {
			continue
		}
		if err := i.Term(ctx); err != nil {
			return err
		}
		next, err := w.SpawnListening(ctx, i.Service, "CHAOS_LISTEN="+i.Addr)
		if err != nil {
			return err
		}
		if err := next.AwaitState(ctx, "serving"); err != nil {
			return err
		}
	}
	return nil
}
