package fault

import (
	"context"
	"syscall"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// frozen stops a process for longer than its lease lives, and lets it run on.
func frozen() rig.Scenario {
	return rig.Scenario{
		Name: "frozen", Fault: "SIGSTOP of an instance for 3 x TTL, then SIGCONT",
		Promise: "gone within TTL + 1 s, back within 3 s; calls to it time out until it is gone",
		Run: func(ctx context.Context, w *rig.World) error {
			i := w.Of(rig.ServiceA)[0]
			at := time.Now()
			i.Signal(syscall.SIGSTOP)
			thaw := time.After(3 * w.TTL)
			i.Expect(rig.Nothing)
			most := int((w.TTL + time.Second) / rig.Pace / 2 / 3 * 3 / 2) // a third of the service's calls, and half as many again
			w.Excuse(at.Add(-time.Second), at.Add(w.TTL+1500*time.Millisecond), i.Service, most, "picked the frozen instance while its lease lived")
			if err := w.Gone(ctx, i, at, w.TTL+time.Second); err != nil {
				i.Signal(syscall.SIGCONT)
				return err
			}
			select {
			case <-thaw:
			case <-ctx.Done():
			}
			i.Expect(rig.Serving)
			at = time.Now()
			i.Signal(syscall.SIGCONT)
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}
