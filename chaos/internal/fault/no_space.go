package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// noSpace fills etcd until it refuses writes; an instance leaves, another becomes unfit and a third comes meanwhile.
func noSpace() rig.Scenario {
	return rig.Scenario{
		Name: "no-space", Fault: "NOSPACE alarm for 3 x TTL; an instance leaves, another becomes unfit and a third comes meanwhile",
		Promise: "leases live on, who leaves or is unfit is gone within 1 s, who comes serves within 3 s of the end, no call fails",
		Tune:    func(t *rig.Tuning) { t.QuotaBytes = 8 << 20 },
		Run: func(ctx context.Context, w *rig.World) error {
			cli := w.Observer.Client()
			big := strings.Repeat("x", 256<<10)
			full := false
			for n := 0; !full && n < 200; n++ {
				_, err := cli.Put(ctx, fmt.Sprintf("elsewhere/%d", n), big)
				full = err != nil && strings.Contains(err.Error(), "database space exceeded")
				if err != nil && !full {
					return err
				}
			}
			if !full {
				return errors.New("etcd does not fill up")
			}
			began := time.Now()
			left := w.Of(rig.ServiceA)[0]
			at := time.Now()
			left.AskToEnd()
			if err := w.Gone(ctx, left, at, time.Second); err != nil {
				return err
			}
			if err := left.Term(ctx); err != nil {
				return err
			}
			unfit := w.Of(rig.ServiceB)[0]
			unfit.Expect(rig.Alive)
			if _, err := unfit.Obey(ctx, "unfit"); err != nil {
				return err
			}
			if err := w.Restored(ctx, time.Now(), time.Second); err != nil {
				return err
			}
			came, err := w.SpawnListening(ctx, rig.ServiceA)
			if err != nil {
				return err
			}
			came.Expect(rig.Nothing) // not yet
			if err := w.Steady(ctx); err != nil {
				return err
			}
			pause(ctx, 3*w.TTL-time.Since(began))

			if _, err := cli.Delete(ctx, "elsewhere/", clientv3.WithPrefix()); err != nil {
				return err
			}
			if err := compact(ctx, w); err != nil {
				return err
			}
			for _, n := range w.Nodes {
				if _, err := cli.Defragment(ctx, n.Endpoint()); err != nil {
					return err
				}
			}
			if _, err := cli.AlarmDisarm(ctx, &clientv3.AlarmMember{}); err != nil {
				return err
			}
			at = time.Now()
			came.Expect(rig.Serving)
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			unfit.Expect(rig.Serving)
			if _, err := unfit.Obey(ctx, "fit"); err != nil {
				return err
			}
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}
