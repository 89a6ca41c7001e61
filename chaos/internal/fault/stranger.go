package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// stranger writes over a serving key, as registry-etcd at the same address would, and then does it again.
func stranger() rig.Scenario {
	return rig.Scenario{
		Name: "stranger", Fault: "serving key overwritten by a stranger, twice",
		Promise: "taken back once, with a line in the log; then a conflict in log and /healthz?verbose",
		Run: func(ctx context.Context, w *rig.World) error {
			i := w.Of(rig.ServiceA)[0]
			value := strangersValue(i)
			at := time.Now()
			if _, err := w.Observer.Client().Put(ctx, i.Key(), value); err != nil {
				return err
			}
			if err := w.Restored(ctx, at, time.Second); err != nil {
				return err
			}
			lctx, cancel := context.WithTimeoutCause(ctx, soon, errors.New("not within 3s"))
			defer cancel()
			if err := i.AwaitLog(lctx, "replaced a serving value that somebody else wrote", i.Addr); err != nil {
				return err
			}

			if _, err := w.Observer.Client().Put(ctx, i.Key(), value); err != nil {
				return err
			}
			if err := i.AwaitHealth(lctx, "a conflict", conflict); err != nil {
				return err
			}
			if err := i.AwaitLog(lctx, "conflict in the registry", i.Addr); err != nil {
				return err
			}
			pause(ctx, w.TTL+time.Second)
			r, err := w.Observer.Client().Get(ctx, i.Key())
			if err != nil {
				return err
			}
			if len(r.Kvs) != 1 || string(r.Kvs[0].Value) != value {
				w.Breach("the stranger's second value was overwritten")
			}
			if n := i.CountLog("conflict in the registry"); n != 1 {
				w.Breach("the conflict is in the log %d times, want once", n)
			}
			if err := w.Flowing(ctx); err != nil {
				return err
			}

			at = time.Now()
			if _, err := w.Observer.Client().Delete(ctx, i.Key()); err != nil { // the stranger goes
				return err
			}
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			lctx, cancel = context.WithTimeoutCause(ctx, soon, errors.New("not within 3s"))
			defer cancel()
			if err := i.AwaitHealth(lctx, "no conflict", func(r rig.Registration) bool { return !conflict(r) }); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}

// strangersValue is what registry-etcd would write for an instance.
func strangersValue(i *rig.Instance) string {
	return fmt.Sprintf(`{"network":"tcp","address":%q,"weight":7,"tags":null}`, i.Addr)
}

func conflict(r rig.Registration) bool { return strings.Contains(r.Detail, "conflict") }
