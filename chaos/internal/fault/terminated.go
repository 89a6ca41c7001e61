package fault

import (
	"context"
	"errors"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// terminatedEarly ends processes that have just begun, some of them before Kitex registers, which it does after a second.
func terminatedEarly() rig.Scenario {
	return rig.Scenario{
		Name: "sigterm-early", Fault: "SIGTERM in a process's first 100 ms, and in its first 2 s, ten times each",
		Promise: "nothing is left, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			for n := range 20 {
				i, err := w.Spawn(ctx, rig.ServiceB)
				if err != nil {
					return err
				}
				within := 100
				if n%2 == 1 {
					within = 2000
				}
				pause(ctx, time.Duration(w.Rand.IntN(within))*time.Millisecond)
				if err := i.TermEarly(ctx); err != nil {
					return err
				}
			}
			if err := w.Restored(ctx, time.Now(), time.Second); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}

// terminated ends an instance that serves.
func terminated() rig.Scenario {
	return rig.Scenario{
		Name: "sigterm-serving", Fault: "SIGTERM while serving", Promise: "gone at once, no call fails",
		Run: func(ctx context.Context, w *rig.World) error { return leaves(ctx, w, w.Of(rig.ServiceA)[0]) },
	}
}

// terminatedWaiting ends one that has never been fit.
func terminatedWaiting() rig.Scenario {
	return rig.Scenario{
		Name: "sigterm-waiting", Fault: "SIGTERM while waiting to become fit", Promise: "never listed, gone at once, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			i, err := w.SpawnListening(ctx, rig.ServiceA, "CHAOS_UNFIT=1")
			if err != nil {
				return err
			}
			i.Expect(rig.Alive)
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			return leaves(ctx, w, i)
		},
	}
}

// terminatedWithdrawn ends one that has withdrawn.
func terminatedWithdrawn() rig.Scenario {
	return rig.Scenario{
		Name: "sigterm-withdrawn", Fault: "a probe fails, then SIGTERM while withdrawn", Promise: "no call to it once withdrawn, gone at once, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			i := w.Of(rig.ServiceA)[0]
			i.Expect(rig.Alive)
			if _, err := i.Obey(ctx, "unfit"); err != nil {
				return err
			}
			if err := w.Restored(ctx, time.Now(), time.Second); err != nil {
				return err
			}
			pause(ctx, 2*time.Second) // calls go on, none of them to it
			return leaves(ctx, w, i)
		},
	}
}

// terminatedHeld ends one that the floor keeps serving, all of its service being unfit.
func terminatedHeld() rig.Scenario {
	return rig.Scenario{
		Name: "sigterm-held", Fault: "all of a service become unfit, then SIGTERM of one while held",
		Promise: "the floor keeps serving, the one is gone at once, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			for _, i := range w.Of(rig.ServiceA) {
				if err := i.Order("unfit"); err != nil {
					return err
				}
			}
			hctx, cancel := context.WithTimeoutCause(ctx, 15*time.Second, errors.New("not within 15s"))
			defer cancel()
			for _, i := range w.Of(rig.ServiceA) {
				if err := i.AwaitState(hctx, "held"); err != nil {
					return err
				}
			}
			if err := leaves(ctx, w, w.Of(rig.ServiceA)[0]); err != nil {
				return err
			}
			for _, i := range w.Of(rig.ServiceA) {
				if _, err := i.Obey(ctx, "fit"); err != nil {
					return err
				}
			}
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}

// terminatedInOutage ends one while etcd is away.
func terminatedInOutage() rig.Scenario {
	return rig.Scenario{
		Name: "sigterm-outage", Fault: "SIGTERM of an instance while etcd is away",
		Promise: "ends within 10 s; its lease within TTL + 2 s of etcd's return; no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			w.StopNodes(w.Nodes...)
			pause(ctx, time.Second)
			i, at := w.Of(rig.ServiceA)[0], time.Now()
			if err := i.Term(ctx); err != nil {
				return err
			}
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

// leaves ends an instance and checks that it is gone from the registry as soon as it was told to, not when it has ended.
func leaves(ctx context.Context, w *rig.World, i *rig.Instance) error {
	at := time.Now()
	i.AskToEnd()
	if err := w.Gone(ctx, i, at, time.Second); err != nil {
		return err
	}
	if !w.Observer.Announced(i.Key()) {
		w.Breach("%s left without announcing it", i.Name)
	}
	if err := i.Term(ctx); err != nil {
		return err
	}
	if err := w.Restored(ctx, time.Now(), time.Second); err != nil {
		return err
	}
	return w.Steady(ctx)
}
