package fault

import (
	"context"
	"errors"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// servingDeleted and rosterDeleted delete an instance's key by hand, ten times each.
func servingDeleted() rig.Scenario {
	return deleted("serving-key-deleted", "serving key deleted by hand, ten times", (*rig.Instance).Key)
}

func rosterDeleted() rig.Scenario {
	return deleted("roster-key-deleted", "roster key deleted by hand, ten times", (*rig.Instance).Roster)
}

func deleted(name, what string, key func(*rig.Instance) string) rig.Scenario {
	return rig.Scenario{
		Name: name, Fault: what, Promise: "back within 1 s, no call fails",
		Run: func(ctx context.Context, w *rig.World) error {
			for n := range 10 {
				all := w.Instances()
				i := all[n%len(all)]
				v, err := w.Observer.Look(ctx)
				if err != nil {
					return err
				}
				if v.Keys[key(i)] == 0 {
					return errors.New("there is no " + key(i))
				}
				at := time.Now()
				if _, err := w.Observer.Client().Delete(ctx, key(i)); err != nil {
					return err
				}
				if err := w.Restored(ctx, at, time.Second); err != nil {
					return err
				}
			}
			return w.Steady(ctx)
		},
	}
}
