package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// mostLines is what a process may log while etcd comes and goes fifteen times.
const mostLines = 60

// frozenFlapping stops all nodes for a second and lets them run on for one, again and again: connections stay, answers don't
// come, and leaders change.
func frozenFlapping() rig.Scenario {
	return flapping("etcd-flapping", "all etcd nodes stopped for a second and continued for one, for 30 s", false,
		func(_ context.Context, w *rig.World, away bool) error {
			for _, n := range w.Nodes {
				how := w.Thaw
				if away {
					how = w.Freeze
				}
				if err := how(n); err != nil {
					return err
				}
			}
			return nil
		})
}

// cutFlapping closes every connection to etcd and refuses new ones for a second, again and again.
func cutFlapping() rig.Scenario {
	return flapping("network-flapping", "everybody cut off from etcd every other second, for 30 s", true,
		func(ctx context.Context, w *rig.World, away bool) error {
			if !away {
				return w.HealAll(ctx)
			}
			for _, l := range w.Lanes() {
				l.Cut()
			}
			return nil
		})
}

func flapping(name, what string, proxied bool, turn func(ctx context.Context, w *rig.World, away bool) error) rig.Scenario {
	return rig.Scenario{
		Name: name, Fault: what, Proxied: proxied, Long: true,
		Promise: fmt.Sprintf("no call fails, at most %d lines in the log of each process, everything serving within 3 s of the end", mostLines),
		Run: func(ctx context.Context, w *rig.World) error {
			lines, most := w.Lines(), 0
			for n := range 30 {
				if err := turn(ctx, w, n%2 == 0); err != nil {
					return err
				}
				pause(ctx, time.Second)
			}
			at, err := w.Observer.AwaitAnswer(ctx)
			if err != nil {
				return err
			}
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			for p, n := range w.Lines() {
				n -= lines[p]
				most = max(most, n)
				if n > mostLines {
					w.Breach("%s logged %d lines, at most %d\n%s", p.Name, n, mostLines, p.Tail(30))
				}
			}
			w.Say("at most %d lines in a log", most)
			if err := heard(ctx, w, rig.ServiceB); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}
