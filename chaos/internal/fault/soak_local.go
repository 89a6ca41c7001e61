package fault

import (
	"context"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// local is a fault of one instance; what it returns, if anything, ends it.
type local struct {
	name   string
	needs  bool // etcd must answer meanwhile
	freeze bool
	closes bool // the instance ends in order
	begin  func(ctx context.Context, w *rig.World, i *rig.Instance) (end func() error, err error)
}

func locals() []local {
	replace := func(ctx context.Context, w *rig.World, i *rig.Instance) error {
		_, err := w.SpawnListening(ctx, i.Service)
		return err
	}
	return []local{
		{name: "SIGKILL", begin: func(ctx context.Context, w *rig.World, i *rig.Instance) (func() error, error) {
			at := time.Now()
			i.Kill()
			w.Excuse(at.Add(-time.Second), at.Add(100*time.Millisecond), i.Service, 20, "in flight when a process was killed")
			return nil, replace(ctx, w, i)
		}},
		{name: "SIGTERM", closes: true, begin: func(ctx context.Context, w *rig.World, i *rig.Instance) (func() error, error) {
			if err := replace(ctx, w, i); err != nil {
				return nil, err
			}
			return nil, i.Term(ctx)
		}},
		{name: "SIGSTOP", freeze: true, begin: func(ctx context.Context, w *rig.World, i *rig.Instance) (func() error, error) {
			at, most := time.Now(), unheard(w.TTL+time.Second)
			i.Signal(syscall.SIGSTOP)
			w.Excuse(at.Add(-time.Second), at.Add(w.TTL+1500*time.Millisecond), i.Service, most, "picked a frozen instance")
			longer := time.Duration(w.Rand.Int64N(int64(2 * w.TTL)))
			return func() error {
				pause(ctx, longer)
				i.Signal(syscall.SIGCONT)
				return nil
			}, nil
		}},
		{name: "probe failing", begin: func(ctx context.Context, _ *rig.World, i *rig.Instance) (func() error, error) {
			return func() error { _, err := i.Obey(ctx, "fit"); return err }, i.Order("unfit")
		}},
		{name: "10 flips", begin: func(ctx context.Context, _ *rig.World, i *rig.Instance) (func() error, error) {
			obeyed, err := i.Begin("flips 10")
			return func() error { _, err := obeyed(ctx); return err }, err
		}},
		{name: "a twin", needs: true, begin: func(ctx context.Context, w *rig.World, i *rig.Instance) (func() error, error) {
			second, err := w.SpawnListening(ctx, i.Service, "MUSTER_ADVERTISE_ADDR="+i.Addr)
			if err != nil {
				return nil, err
			}
			second.Addr = i.Addr // as the registry sees it
			return func() error { return second.Term(ctx) }, nil
		}},
		{name: "a stranger", needs: true, begin: func(ctx context.Context, w *rig.World, i *rig.Instance) (func() error, error) {
			_, err := w.Observer.Client().Put(ctx, i.Key(), strangersValue(i))
			return func() error { // its second value is not fought
				_, err := w.Observer.Client().Delete(ctx, i.Key())
				return err
			}, err
		}},
		{name: "lease revoked", needs: true, begin: func(ctx context.Context, w *rig.World, i *rig.Instance) (func() error, error) {
			v, err := w.Observer.Look(ctx)
			if err != nil {
				return nil, err
			}
			if lease := v.Keys[i.Roster()]; lease != 0 {
				_, _ = w.Observer.Client().Revoke(ctx, clientv3.LeaseID(lease))
			}
			return nil, nil
		}},
		{name: "serving key deleted", needs: true, begin: func(ctx context.Context, w *rig.World, i *rig.Instance) (func() error, error) {
			_, err := w.Observer.Client().Delete(ctx, i.Key())
			return nil, err
		}},
		{name: "roster key deleted", needs: true, begin: func(ctx context.Context, w *rig.World, i *rig.Instance) (func() error, error) {
			_, err := w.Observer.Client().Delete(ctx, i.Roster())
			return nil, err
		}},
	}
}
