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
		Promise: "nothing is lost, who leaves is gone within a second more than the delay, no call fails", TTL: realTTL, Proxied: true, Long: true,
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
			i.AskToEnd()
			// A leave is two requests, each sent when the one before it has been answered.
			if err := w.Gone(ctx, i, at, d+time.Second); err != nil {
				return err
			}
			if !w.Observer.Announced(i.Key()) {
				w.Breach("%s left without announcing it", i.Name)
			}
			if err := i.Term(ctx); err != nil {
				return err
			}
			// Where the answers take longer than a leave waits, the lease has to run out.
			within := time.Second
			if ms > 1000 {
				within += w.TTL
			}
			if err := w.Tidy(ctx, time.Now(), within); err != nil {
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
