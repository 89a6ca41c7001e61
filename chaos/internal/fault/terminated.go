package fault

import (
	"context"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// terminated ends an instance that serves.
func terminated() rig.Scenario {
	return rig.Scenario{
		Name: "sigterm-serving", Fault: "SIGTERM while serving", Promise: "gone at once, no call fails",
		Run: func(ctx context.Context, w *rig.World) error { return leaves(ctx, w, w.Of(rig.ServiceA)[0]) },
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
