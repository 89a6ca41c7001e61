package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
	"github.com/muster-go/muster/internal/etcdtest"
)

// realTTL is Muster's default. Outages are tried with it, since what is promised after them is.
const realTTL = 10 * time.Second

const outagePromise = "every instance serving within 3 s of etcd's return, also one that came meanwhile; one that became unfit unlisted, and not called after that; no call fails"

// outage stops all nodes for that long.
func outage(name, words string, away time.Duration) rig.Scenario {
	return rig.Scenario{
		Name: name, Fault: fmt.Sprintf("all etcd nodes stopped for %s, TTL %v; an instance comes and another becomes unfit meanwhile", words, realTTL),
		Promise: outagePromise, TTL: realTTL, Long: true, Limit: away + 2*time.Minute,
		Run: func(ctx context.Context, w *rig.World) error {
			return sitOut(ctx, w, away, w.Nodes...)
		},
	}
}

// majorityLost stops two nodes of three for a minute, among them the leader.
func majorityLost() rig.Scenario {
	return rig.Scenario{
		Name: "majority-lost", Fault: "the majority of etcd's nodes stopped for 60 s, TTL 10 s; an instance comes and another becomes unfit meanwhile",
		Promise: outagePromise, TTL: realTTL, Long: true, Limit: 3 * time.Minute,
		Run: func(ctx context.Context, w *rig.World) error {
			leader, err := w.Leader(ctx)
			if err != nil {
				return err
			}
			return sitOut(ctx, w, time.Minute, w.Nodes[leader], w.Nodes[(leader+1)%len(w.Nodes)])
		},
	}
}

// sitOut stops nodes for that long, has things change meanwhile, and checks that all of them are there, and every lease
// renewed, once etcd has come back. Stopped servers keep keys and leases, so that what was there before would look well by
// itself.
func sitOut(ctx context.Context, w *rig.World, away time.Duration, nodes ...*etcdtest.Process) error {
	before, err := w.Goroutines(ctx)
	if err != nil {
		return err
	}
	w.StopNodes(nodes...)
	end := time.After(away)
	pause(ctx, away/2)
	if _, err := w.SpawnListening(ctx, rig.ServiceA); err != nil {
		return err
	}
	unfit := w.Of(rig.ServiceB)[0]
	if _, err := unfit.Obey(ctx, "unfit"); err != nil {
		return err
	}
	unfit.Expect(rig.Alive)
	select {
	case <-end:
	case <-ctx.Done():
	}
	at, err := w.StartNodes(ctx)
	if err != nil {
		return err
	}
	w.Blind(at, at.Add(soon), unfit.Service, unheard(soon), "the caller's watch is back as late as everything else")
	renewed := make(chan struct{})
	go func() { // at once, beside what follows: it has to see each lease as it was
		defer close(renewed)
		w.Renewed(ctx, at, max(soon, time.Second+w.TTL/3)+time.Second/2)
	}()
	err = w.Restored(ctx, at, soon)
	<-renewed
	if err != nil {
		return err
	}
	unfit.Expect(rig.Serving)
	if _, err := unfit.Obey(ctx, "fit"); err != nil {
		return err
	}
	if err := w.Restored(ctx, time.Now(), soon); err != nil {
		return err
	}
	if err := heard(ctx, w, rig.ServiceB); err != nil {
		return err
	}
	if err := w.Steady(ctx); err != nil {
		return err
	}
	return w.NoMoreGoroutines(ctx, before)
}
