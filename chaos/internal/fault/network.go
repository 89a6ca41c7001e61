package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// delayed holds back every answer of etcd's, to all processes, and changes instances meanwhile.
func delayed(ms int) rig.Scenario {
	d := time.Duration(ms) * time.Millisecond
	return rig.Scenario{
		Name: fmt.Sprintf("delay-%dms", ms), Fault: fmt.Sprintf("etcd's answers delayed by %v for 3 x TTL, TTL 10 s; an instance leaves meanwhile", d),
		Promise: "nothing is lost, no call fails", TTL: realTTL, Proxied: true, Long: true,
		Run: func(ctx context.Context, w *rig.World) error {
			for _, l := range w.Lanes() {
				if err := l.Delay(ms); err != nil {
					return err
				}
			}
			end := time.After(3 * w.TTL)
			pause(ctx, 2*time.Second)
			i, at := w.Of(rig.ServiceA)[0], time.Now()
			w.Blind(at, at.Add(2*d+soon), i.Service, unheard(d), "the caller hears of the leave as late as of everything else")
			if err := i.Term(ctx); err != nil {
				return err
			}
			// Where the leave's answer takes longer than a leave waits, the lease has to run out.
			if err := w.Gone(ctx, i, at, w.TTL+2*time.Second); err != nil {
				return err
			}
			if err := w.Steady(ctx); err != nil {
				return err
			}
			select {
			case <-end:
			case <-ctx.Done():
			}
			at = time.Now()
			if err := w.HealAll(ctx); err != nil {
				return err
			}
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}

// blackHole lets the connections of all processes to etcd hang without closing them.
func blackHole(name string, d rig.Direction) rig.Scenario {
	return rig.Scenario{
		Name: "blackhole-" + name, Fault: fmt.Sprintf("connections to etcd hang without closing, %v, for 3 x TTL", d),
		Promise: "every instance serving within 5 s of the end, no call fails", Proxied: true,
		Run: func(ctx context.Context, w *rig.World) error {
			for _, l := range w.Lanes() {
				if err := l.Swallow(d); err != nil {
					return err
				}
			}
			pause(ctx, 3*w.TTL)
			at := time.Now()
			if err := w.HealAll(ctx); err != nil {
				return err
			}
			if err := w.Restored(ctx, at, 5*time.Second); err != nil {
				return err
			}
			if err := heard(ctx, w); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}

// instanceCut cuts one instance off from etcd, while everybody else reaches both.
func instanceCut() rig.Scenario {
	return rig.Scenario{
		Name: "instance-cut", Fault: "one instance cut off from etcd for 3 x TTL", Promise: "unlisted within TTL + 1 s, back within 3 s, no call fails",
		Proxied: true,
		Run: func(ctx context.Context, w *rig.World) error {
			i := w.Of(rig.ServiceA)[0]
			at := time.Now()
			w.Lane(i.Name).Cut()
			i.Expect(rig.Nothing)
			if err := w.Gone(ctx, i, at, w.TTL+time.Second); err != nil {
				return err
			}
			pause(ctx, 3*w.TTL-time.Since(at))
			i.Expect(rig.Serving)
			at = time.Now()
			if err := w.Lane(i.Name).Heal(ctx); err != nil {
				return err
			}
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}

// callerCut cuts the caller off, while an instance comes and another goes.
func callerCut() rig.Scenario {
	return rig.Scenario{
		Name: "caller-cut", Fault: "one client cut off from etcd for 3 x TTL, while an instance comes and another leaves",
		Promise: "no call fails; it knows of both within 3 s of the end", Proxied: true,
		Run: func(ctx context.Context, w *rig.World) error {
			w.Lane("caller").Cut()
			at := time.Now()
			old := w.Of(rig.ServiceA)[0]
			w.Blind(at, at.Add(3*w.TTL), old.Service, unheard(time.Second), "the caller is cut off, and the instance drains")
			if err := old.Term(ctx); err != nil {
				return err
			}
			if _, err := w.SpawnListening(ctx, rig.ServiceA); err != nil {
				return err
			}
			pause(ctx, 3*w.TTL-time.Since(at))
			at = time.Now()
			if err := w.Lane("caller").Heal(ctx); err != nil {
				return err
			}
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			if took := time.Since(at); took > soon {
				w.Breach("the new instance was called %v after the end of the cut, want 3s", took)
			}
			return w.Steady(ctx)
		},
	}
}

// unheard is how many calls an instance of three may get while the caller does not hear for that long that it leaves.
func unheard(d time.Duration) int { return int(d/rig.Pace) / 2 / 3 * 3 / 2 }

// instancesCut cuts all instances off, and not the caller: it sees every lease run out, while all of them live.
func instancesCut() rig.Scenario {
	return rig.Scenario{
		Name: "instances-cut", Fault: "all instances cut off from etcd for 3 x TTL, the client not", Proxied: true,
		Promise: "the client goes on calling those that still accept connections: no call fails; back within 3 s",
		Run: func(ctx context.Context, w *rig.World) error {
			for _, i := range w.Instances() {
				w.Lane(i.Name).Cut()
			}
			pause(ctx, 3*w.TTL)
			at := time.Now()
			if err := w.HealAll(ctx); err != nil {
				return err
			}
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}
