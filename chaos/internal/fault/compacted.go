package fault

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// compacted compacts history while every watcher is cut off, and changes things meanwhile.
func compacted() rig.Scenario {
	return rig.Scenario{
		Name: "compacted", Fault: "history compacted while the client is cut off and an instance comes and another leaves",
		Promise: "the client reads anew, no call fails but on a connection that closes", Proxied: true,
		Run: func(ctx context.Context, w *rig.World) error {
			w.Lane("caller").Cut()
			cut := time.Now()
			watcher := w.Of(rig.ServiceB)[0] // the keeper of its own keys is cut off, too, but not for as long as its lease
			w.Lane(watcher.Name).Cut()
			if err := w.Of(rig.ServiceA)[0].Term(ctx); err != nil {
				return err
			}
			ended := time.Now()
			if _, err := w.SpawnListening(ctx, rig.ServiceA); err != nil {
				return err
			}
			if err := fill(ctx, w, 20); err != nil {
				return err
			}
			if err := compact(ctx, w); err != nil {
				return err
			}
			if err := w.Lane(watcher.Name).Heal(ctx); err != nil {
				return err
			}
			pause(ctx, 2*time.Second)
			if err := fill(ctx, w, 20); err != nil {
				return err
			}
			if err := compact(ctx, w); err != nil {
				return err
			}
			at := time.Now()
			deaf(w, cut, at, rig.ServiceA, ended)
			if err := w.Lane("caller").Heal(ctx); err != nil {
				return err
			}
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			if took := time.Since(at); took > soon {
				w.Breach("the new instance was called %v after the end of the cut, want 3s", took)
			}
			// A watch that lives on hears of further changes.
			if err := w.Of(rig.ServiceA)[0].Term(ctx); err != nil {
				return err
			}
			if err := w.Restored(ctx, time.Now(), soon); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}

// compact drops all of history.
func compact(ctx context.Context, w *rig.World) error {
	r, err := w.Observer.Client().Get(ctx, "x")
	if err != nil {
		return err
	}
	_, err = w.Observer.Client().Compact(ctx, r.Header.Revision, clientv3.WithCompactPhysical())
	return err
}
