package rig

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/muster-go/muster/chaos/internal/child"
)

// Goroutines are those of Muster's and of its etcd client that each process had.
type Goroutines map[*Process]child.Goroutines

// Goroutines counts those of all processes, in peace: what is being done when they are counted has goroutines of its own.
// So each process is counted until nothing has changed three times: a watch that has just been begun is not all there yet.
func (w *World) Goroutines(ctx context.Context) (Goroutines, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errors.New("the goroutines do not settle"))
	defer cancel()
	all := Goroutines{}
	for _, p := range w.living() {
		for same := 0; same < 3; {
			e, err := p.Obey(ctx, "goroutines")
			if err != nil {
				return nil, err
			}
			if same++; !maps.Equal(all[p], e.Goroutines) {
				all[p], same = e.Goroutines, 0
			}
			pause(ctx, 100*time.Millisecond)
		}
	}
	return all, nil
}

// living returns the caller and the instances that have not been stopped or killed.
func (w *World) living() []*Process {
	all := []*Process{w.Caller}
	for _, i := range w.Instances() {
		all = append(all, i.Process)
	}
	return all
}

// NoMoreGoroutines checks that no process that still lives has more goroutines than it had before. They get a moment to
// settle: connections are made anew after a fault, and those of before are only then given up.
func (w *World) NoMoreGoroutines(ctx context.Context, before Goroutines) error {
	sctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errors.New("not settled"))
	defer cancel()
	for _, p := range w.living() {
		was, ok := before[p]
		if !ok {
			continue
		}
		for {
			e, err := p.Obey(ctx, "goroutines")
			if err != nil {
				return err
			}
			now := e.Goroutines
			if now.Total() <= was.Total() {
				break
			}
			if sctx.Err() != nil {
				w.Breach("%s has %d goroutines and had %d before; more than before are\n%s", p.Name, now.Total(), was.Total(), now.More(was))
				break
			}
			pause(sctx, 200*time.Millisecond)
		}
	}
	return nil
}
