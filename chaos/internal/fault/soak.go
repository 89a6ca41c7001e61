package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// soakSoon is how long the soak allows for everything to be as it should after a round: who left while etcd was away goes
// with a lease of 3 s.
const soakSoon = 4*time.Second + afterElection

// Soak breaks things at random for that long: in each round something about etcd or the network, and meanwhile something
// about up to two instances. What happens, and when within a round, follows from the
// seed; how long each thing takes does not.
func Soak(d time.Duration) rig.Scenario {
	return rig.Scenario{
		Name: "soak", Fault: fmt.Sprintf("random faults for %v", d), Proxied: true, Limit: d + 5*time.Minute,
		Promise: "after each round everything is as it should within 6 s; only calls in flight at a kill, to a frozen instance, or on a connection that closes unheard, fail",
		Run: func(ctx context.Context, w *rig.World) error {
			before, err := w.Goroutines(ctx)
			if err != nil {
				return err
			}
			end := time.Now().Add(d)
			for n := 1; time.Now().Before(end); n++ {
				if err := round(ctx, w, n); err != nil {
					return err
				}
				if w.Broken() {
					return nil // what follows would only blur it
				}
			}
			if err := w.Steady(ctx); err != nil {
				return err
			}
			return w.NoMoreGoroutines(ctx, before)
		},
	}
}

func round(ctx context.Context, w *rig.World, n int) error {
	r := w.Rand
	out := wides()[r.IntN(len(wides()))]
	hold := time.Duration(500+r.IntN(8000)) * time.Millisecond
	if out.name == "peace" {
		hold = time.Duration(r.IntN(1000)) * time.Millisecond
	}
	var chosen []local
	for range r.IntN(3) {
		l := locals()[r.IntN(len(locals()))]
		if l.needs && !out.up || l.freeze && out.name != "peace" {
			continue
		}
		chosen = append(chosen, l)
	}
	line := fmt.Sprintf("round %d: %s for %v", n, out.name, hold.Round(100*time.Millisecond))
	began := time.Now()
	end, err := out.begin(ctx, w)
	if err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	ends := []func() error{end}
	// One instance of each service at most, so that two healthy ones are left.
	services := []string{rig.ServiceA, rig.ServiceB}
	r.Shuffle(2, func(a, b int) { services[a], services[b] = services[b], services[a] })
	for k, l := range chosen {
		pause(ctx, time.Duration(r.Int64N(int64(hold/4+1))))
		of := w.Of(services[k])
		i := of[r.IntN(len(of))]
		line += fmt.Sprintf(", %s of %s", l.name, i.Name)
		switch until := began.Add(hold + soakSoon); {
		case out.blind:
			w.Blind(time.Now(), until, i.Service, unheard(hold+soon), "the caller is cut off")
		case out.mute && l.closes: // when all have vanished, those that accept connections are kept: this one, too, while it drains
			w.Blind(time.Now(), until, i.Service, unheard(hold+soon), "cut off, it could not say that it leaves")
		}
		at := time.Now()
		end, err := l.begin(ctx, w, i)
		if err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		if end != nil {
			ends = append(ends, end)
		}
		if l.closes && (out.blind || out.mute) {
			w.Excuse(at, time.Now().Add(100*time.Millisecond), i.Service, 3, unheardClose)
		}
	}
	w.Say("%s", line)
	pause(ctx, hold-time.Since(began))
	for _, end := range ends {
		if err := end(); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	if err := w.Restored(ctx, time.Now(), soakSoon); err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	return nil
}
