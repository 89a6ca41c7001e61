package fault

import (
	"context"
	"math/rand/v2"
	"sync"
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

// rollingRestartFlapping does so while the probe of one instance of each service flaps, of the one that is restarted, too.
func rollingRestartFlapping() rig.Scenario {
	return rig.Scenario{
		Name: "rolling-restart-flapping", Fault: "rolling restart while probes flap", Promise: "no call fails", Each: 4,
		Run: func(ctx context.Context, w *rig.World) error {
			fctx, stop := context.WithCancel(ctx)
			var wg sync.WaitGroup
			defer wg.Wait()
			defer stop()
			flap := func(i *rig.Instance) {
				random := rand.New(rand.NewPCG(w.Rand.Uint64(), 0))
				wg.Go(func() {
					if err := flapUntil(fctx, ctx, i, random); err != nil && contains(w.Instances(), i) {
						w.Breach("%v", err)
					}
				})
			}
			flappers := []*rig.Instance{w.Of(rig.ServiceA)[0], w.Of(rig.ServiceB)[0]}
			for _, i := range flappers {
				flap(i)
			}
			err := replaceAll(ctx, w, func(old, next *rig.Instance) {
				if contains(flappers, old) {
					flap(next)
				}
			})
			if err != nil {
				return err
			}
			pause(ctx, time.Second)
			stop()
			wg.Wait() // each ends fit
			return roll(ctx, w)
		},
	}
}

// flapUntil has an instance's probe fail and pass by turns until flapping ends, and leaves it fit.
func flapUntil(flapping, ctx context.Context, i *rig.Instance, random *rand.Rand) error {
	for flapping.Err() == nil {
		for _, order := range []string{"unfit", "fit"} {
			if _, err := i.Obey(ctx, order); err != nil {
				return err
			}
			pause(flapping, time.Duration(random.IntN(500))*time.Millisecond)
		}
	}
	return nil
}

func roll(ctx context.Context, w *rig.World) error {
	if err := w.Restored(ctx, time.Now(), soon); err != nil {
		return err
	}
	if err := replaceAll(ctx, w, func(_, _ *rig.Instance) {}); err != nil {
		return err
	}
	if err := w.Restored(ctx, time.Now(), soon); err != nil {
		return err
	}
	return w.Steady(ctx)
}

// replaceAll replaces each instance: the new one at the same address, once the old one has gone.
func replaceAll(ctx context.Context, w *rig.World, replaced func(old, next *rig.Instance)) error {
	for _, i := range w.Instances() {
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
		replaced(i, next)
	}
	return nil
}
