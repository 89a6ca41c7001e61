package fault

import (
	"context"
	"errors"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// twin starts a second live process that advertises the address of another, and ends it again.
func twin() rig.Scenario {
	return rig.Scenario{
		Name: "twin", Fault: "a second live process at the same address",
		Promise: "the later one has it, the earlier one waits, both say so, no flapping; back when it goes",
		Run: func(ctx context.Context, w *rig.World) error {
			first := w.Of(rig.ServiceA)[0]
			second, err := w.SpawnListening(ctx, rig.ServiceA, "MUSTER_ADVERTISE_ADDR="+first.Addr)
			if err != nil {
				return err
			}
			second.Addr = first.Addr // as the registry sees it
			first.Expect(rig.Alive)
			lctx, cancel := context.WithTimeoutCause(ctx, 2*soon, errors.New("not within 6s"))
			defer cancel()
			if err := second.AwaitState(lctx, "serving"); err != nil {
				return err
			}
			if err := second.AwaitLog(lctx, "claimed the address of another process", first.Addr); err != nil {
				return err
			}
			for _, i := range []*rig.Instance{first, second} {
				if err := i.AwaitHealth(lctx, "a conflict", conflict); err != nil {
					return err
				}
				if err := i.AwaitLog(lctx, "conflict in the registry", first.Addr); err != nil {
					return err
				}
			}
			before, err := w.Observer.Client().Get(ctx, first.Key())
			if err != nil {
				return err
			}
			if err := w.Steady(ctx); err != nil {
				return err
			}
			lctx, cancel = context.WithTimeoutCause(ctx, time.Second, errors.New("not within 1s"))
			defer cancel()
			after, err := w.Observer.Client().Get(ctx, first.Key())
			if err != nil {
				return err
			}
			if len(before.Kvs) != 1 || len(after.Kvs) != 1 || before.Kvs[0].ModRevision != after.Kvs[0].ModRevision {
				w.Breach("the two fight over the key: %v, then %v", before.Kvs, after.Kvs)
			}
			// It stays like that, and each says so of itself.
			if err := first.AwaitHealth(lctx, "waiting, with a conflict", func(r rig.Registration) bool { return r.State == "waiting" && conflict(r) }); err != nil {
				return err
			}
			if err := second.AwaitHealth(lctx, "serving, with a conflict", func(r rig.Registration) bool { return r.State == "serving" && conflict(r) }); err != nil {
				return err
			}
			first.Expect(rig.Serving)
			if err := second.Term(ctx); err != nil {
				return err
			}
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			lctx, cancel = context.WithTimeoutCause(ctx, soon, errors.New("not within 3s"))
			defer cancel()
			if err := first.AwaitHealth(lctx, "no conflict", func(r rig.Registration) bool { return !conflict(r) }); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}
