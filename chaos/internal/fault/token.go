package fault

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// tokenExpires lets the simple tokens of all processes run out, and looks a second service up only then.
func tokenExpires() rig.Scenario {
	const user, password = "muster", "secret"
	return rig.Scenario{
		Name: "token-expires", Fault: "authentication with a token that expires; a second service looked up only then",
		Promise: "nothing is lost, the second service is called within 3 s, no call fails", Late: true,
		Env:  []string{"MUSTER_ETCD_USERNAME=" + user, "MUSTER_ETCD_PASSWORD=" + password},
		Tune: func(t *rig.Tuning) { t.User, t.TokenTTL = "root", 3 },
		Prepare: func(ctx context.Context, w *rig.World) error {
			cli := w.Observer.Client()
			const prefix = "muster/" + rig.Namespace + "/"
			for _, do := range []func() error{
				func() error { _, err := cli.RoleAdd(ctx, user); return err },
				func() error {
					_, err := cli.RoleGrantPermission(ctx, user, prefix, clientv3.GetPrefixRangeEnd(prefix), clientv3.PermissionType(clientv3.PermReadWrite))
					return err
				},
				func() error { _, err := cli.UserAdd(ctx, user, password); return err },
				func() error { _, err := cli.UserGrantRole(ctx, user, user); return err },
				func() error { _, err := cli.UserAdd(ctx, "root", "root"); return err },
				func() error { _, err := cli.UserGrantRole(ctx, "root", "root"); return err },
				func() error { _, err := cli.AuthEnable(ctx); return err },
			} {
				if err := do(); err != nil {
					return err
				}
			}
			w.Observer.As("root")
			return w.Observer.Open(ctx)
		},
		Run: func(ctx context.Context, w *rig.World) error {
			pause(ctx, 10*time.Second) // a token lives for 3 s without use, and is looked at each 1 s
			at := time.Now()
			if err := w.CallLate(ctx); err != nil {
				return err
			}
			if took := time.Since(at); took > soon {
				w.Breach("all of the second service were called only after %v", took)
			}
			// Watches and registrations live on.
			if err := w.Of(rig.ServiceB)[0].Term(ctx); err != nil {
				return err
			}
			if _, err := w.SpawnListening(ctx, rig.ServiceB); err != nil {
				return err
			}
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			pause(ctx, 5*time.Second)
			return w.Steady(ctx)
		},
	}
}
