package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-go/muster/chaos/internal/child"
	"github.com/muster-go/muster/chaos/internal/rig"
)

const (
	// perInstance bounds what one instance may ask of etcd to be listed again: a join, a publication, and what is tried
	// while etcd is still coming back.
	perInstance = 12
	// perSecond bounds how many of these there may be in one second, for each instance. The first tries of a crowd come at
	// once, since all of it learns of the loss at once; what follows is spread out.
	perSecond = 10
)

// crowd has many instances of few processes come back after etcd's data were wiped.
func crowd(name string, processes, each int) rig.Scenario {
	all := processes * each
	words := fmt.Sprintf("%d instances by %d processes", all, processes)
	if processes == 1 {
		words = fmt.Sprintf("%d instances by one process", all)
	}
	return rig.Scenario{
		Name: name, Fault: words + ", etcd's data wiped", TTL: realTTL, Alone: true, Limit: 3 * time.Minute,
		Promise: fmt.Sprintf("all serving within %v, at most %d requests each, %d in one second, no call fails, nothing is left", soon, perInstance, perSecond),
		Run: func(ctx context.Context, w *rig.World) error {
			began := time.Now()
			crowds := make([]*rig.Process, processes)
			for n := range crowds {
				var err error
				if crowds[n], err = w.Crowd(n, each, crowdService); err != nil {
					return err
				}
			}
			if err := awaitCrowd(ctx, w, crowds, each, make([]int, processes)); err != nil {
				return err
			}
			w.Say("%d serve for the first time after %v", all, time.Since(began).Round(time.Millisecond))

			marks := make([]int, processes)
			for n, p := range crowds {
				marks[n] = p.Mark()
			}
			w.StopNodes(w.Nodes...)
			for _, n := range w.Nodes {
				if err := n.Wipe(); err != nil {
					return err
				}
			}
			count := w.CountRequests(ctx) // the nodes' own count begins with them, at 0
			at, err := w.StartNodes(ctx)
			if err != nil {
				return err
			}
			if err := w.Observer.Open(ctx); err != nil {
				return err
			}
			if err := awaitCrowd(ctx, w, crowds, each, marks); err != nil {
				return err
			}
			took := time.Since(at)
			requests, peak := count()
			w.Say("%d serve again after %v; %d requests, at most %.0f in a second", all, took.Round(time.Millisecond), requests, peak)
			if took > soon {
				w.Breach("%d instances took %v to serve again, want %v", all, took, soon)
			}
			if most := perInstance * (all + len(w.Instances())); requests > most {
				w.Breach("%d requests for %d instances, want at most %d", requests, all, most)
			}
			if most := float64(perSecond * (all + len(w.Instances()))); peak > most {
				w.Breach("%.0f requests in one second for %d instances, want at most %.0f", peak, all, most)
			}
			if n, err := w.Observer.CountServing(ctx, crowdService); err != nil || n != all {
				w.Breach("etcd lists %d of %d (%v)", n, all, err)
			}
			if err := w.Restored(ctx, at, soon); err != nil {
				return err
			}
			return w.Steady(ctx)
		},
	}
}

// awaitCrowd waits until each process has said since its mark that all of its instances serve.
func awaitCrowd(ctx context.Context, w *rig.World, crowds []*rig.Process, each int, marks []int) error {
	for n, p := range crowds {
		if _, err := p.Await(ctx, marks[n], "all serving", func(e child.Event) bool { return e.Event == "serving" && e.N == each }); err != nil {
			return err
		}
	}
	return nil
}
