package rig

import (
	"context"
	"errors"
	"slices"
	"sync"
	"syscall"
	"time"
)

// account takes in how a process ended.
func (w *World) account(i *Instance) {
	if i.asked {
		return
	}
	i.asked = true
	if l := w.Lane(i.Name); l != nil {
		l.Cut() // nobody goes that way any more
	}
	w.endOf(i.Process, i.excused)
}

func (w *World) endOf(p *Process, excused bool) {
	if n := p.raced(); n > 0 {
		w.Breach("%s: %d data races\n%s", p.Name, n, p.Tail(60))
	}
	if excused {
		return
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		w.Breach("%s ended with %v\n%s", p.Name, p.cmd.ProcessState, p.Tail(12))
	}
	e, ok := p.last()
	if !ok {
		return
	}
	if n := e.Goroutines.Total(); n > 0 {
		w.mu.Lock()
		w.row.Goroutines += n
		w.mu.Unlock()
		w.Breach("%s left %d goroutines:\n%s", p.Name, n, e.Goroutines.More(nil))
	}
}

// finish stops everything in order and looks at what is left.
func (w *World) finish(ctx context.Context) error {
	if w.Caller != nil {
		w.loadTo = time.Now()
		w.Caller.Signal(syscall.SIGTERM)
		if _, err := w.Caller.Wait(ctx); err != nil {
			return err
		}
		w.endOf(w.Caller, false)
	}
	w.mu.Lock()
	all, others := w.all, w.others
	w.mu.Unlock()
	var wg sync.WaitGroup
	errs := make(chan error, len(all)+len(others))
	for _, i := range all {
		wg.Go(func() {
			if !i.Ended() {
				i.Signal(syscall.SIGTERM)
			}
			_, err := i.Wait(ctx)
			errs <- err
		})
	}
	for _, p := range others {
		wg.Go(func() {
			if !p.Ended() {
				p.Signal(syscall.SIGTERM)
			}
			_, err := p.Wait(ctx)
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	for _, i := range all {
		w.account(i)
	}
	for _, p := range others {
		w.endOf(p, false)
	}
	return w.leftovers(ctx)
}

// leftovers counts the keys and leases that are left now that nobody is.
func (w *World) leftovers(ctx context.Context) error {
	v, err := w.Observer.Look(ctx)
	if err != nil {
		return err
	}
	w.row.Ghosts, w.row.Leases = len(v.Keys), len(v.Leases)
	if len(v.Keys) > 0 || len(v.Leases) > 0 {
		w.Breach("left behind: keys %v, leases %v", v.Keys, v.Leases)
	}
	return nil
}

// processes returns all that have been started: the caller, instances and crowds.
func (w *World) processes() []*Process {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Clone(w.others)
	for _, i := range w.all {
		all = append(all, i.Process)
	}
	if w.Caller != nil {
		all = append(all, w.Caller)
	}
	return all
}

// run runs one scenario.
func run(ctx context.Context, s Scenario, seed uint64, ports *ports, out func(string, ...any)) Row {
	w, err := newWorld(s, seed, ports, out)
	if err != nil {
		return Row{Name: s.Name, Breaches: []string{err.Error()}}
	}
	defer w.close()
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit(), errors.New("the scenario's time is over"))
	defer cancel()
	err = w.start(ctx)
	if err == nil {
		w.Say("%d instances serve; %s", len(w.Instances()), s.Fault)
		err = s.Run(ctx, w)
	}
	if err == nil {
		err = w.finish(ctx)
	}
	if err != nil {
		w.Breach("%v", err)
	}
	w.judge()
	w.keepBroken()
	return w.row
}
