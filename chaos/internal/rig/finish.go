package rig

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Grace is how long after an announced leave the instance may still be picked. Muster needs milliseconds; a busy
// machine may hand the observer its event earlier than the caller.
const Grace = 250 * time.Millisecond

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

// judge makes the table's row of the ledger and of what was found.
func (w *World) judge() {
	calls := w.Ledger.Since(0)
	w.row.Name, w.row.Fault, w.row.Promise = w.Scenario.Name, w.Scenario.Fault, w.Scenario.Promise
	w.row.Calls, w.row.Restored = len(calls), w.restored
	used, unseen := make([]int, len(w.excuses)), make([]int, len(w.blind))
	var unexcused []Call
	for _, c := range calls {
		if c.Err != "" {
			w.row.Failed++
			if !excused(w.excuses, c, used) {
				unexcused = append(unexcused, c)
			}
		}
		p, ok := w.stray(c)
		if !ok {
			continue
		}
		w.row.Stray++
		if excused(w.blind, c, unseen) {
			w.row.Unseen++
		} else if w.row.Stray-w.row.Unseen <= 3 {
			w.Say("%s was picked at %v, and had left; the call was answered by %q", p.Addr, p.At.Format("15:04:05.000"), c.By)
		}
	}
	for n, e := range w.excuses {
		w.row.Excused += used[n]
		if used[n] > 0 {
			w.Say("%d calls failed (at most %d): %s", used[n], e.most, e.why)
		}
	}
	if len(unexcused) > 0 {
		var stalls []stall
		for _, p := range w.processes() {
			stalls = append(stalls, p.stalls()...)
		}
		for _, s := range stalls {
			w.Say("%s", s)
		}
		// A call that ran out of time while nobody let the caller or the instance run says nothing of Muster. It is a breach
		// all the same: what starves a process may be Muster's own doing.
		w.Breach("%d of %d calls failed, %d of them while a process did not run: %s", len(unexcused), len(calls), during(stalls, unexcused), summary(unexcused))
	}
	for n, e := range w.blind {
		if unseen[n] > 0 {
			w.Say("%d calls went to one that had left (at most %d): %s", unseen[n], e.most, e.why)
		}
	}
	if n := w.row.Stray - w.row.Unseen; n > 0 {
		w.Breach("%d calls were sent to an instance that had left or withdrawn", n)
	}
	if took := w.loadTo.Sub(w.loadFrom).Seconds(); took > 1 {
		w.row.Rate = float64(len(calls)) / took
		if w.row.Rate < 200 {
			w.Breach("only %.0f calls per second", w.row.Rate)
		}
	}
	w.row.Breaches = w.breaches
	w.row.Took = time.Since(w.began)
}

// during counts the calls that were under way while a process did not run.
func during(stalls []stall, calls []Call) (n int) {
	for _, c := range calls {
		if slices.ContainsFunc(stalls, func(s stall) bool { return s.hit(c) }) {
			n++
		}
	}
	return n
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

// stray returns the first pick of a call that had left or withdrawn by then.
func (w *World) stray(c Call) (Pick, bool) {
	if w.Observer == nil {
		return Pick{}, false
	}
	for _, p := range c.Picks {
		if w.Observer.departed(ServingKey(c.Service, p.Addr), p.At, Grace) {
			return p, true
		}
	}
	return Pick{}, false
}

// excused uses up one of the excuses that a call fits, if there is one.
func excused(all []excuse, c Call, used []int) bool {
	for n, e := range all {
		if used[n] < e.most && (e.service == "" || e.service == c.Service) && !c.Began.After(e.to) && !c.Ended().Before(e.from) {
			used[n]++
			return true
		}
	}
	return false
}

// summary says when the calls failed and lists the first few errors, each once.
func summary(calls []Call) string {
	first, last := calls[0].Began, calls[0].Began
	for _, c := range calls {
		if c.Began.Before(first) {
			first = c.Began
		}
		if c.Began.After(last) {
			last = c.Began
		}
	}
	var all []string
	seen := map[string]int{}
	for _, c := range calls {
		text := c.Err
		if seen[text]++; seen[text] == 1 && len(all) < 4 {
			all = append(all, fmt.Sprintf("%s at %s after %v: %s", c.Service, c.Began.Format("15:04:05.000"), c.Took.Round(time.Millisecond), text))
		}
	}
	return fmt.Sprintf("begun %s to %s: %s", first.Format("15:04:05.000"), last.Format("15:04:05.000"), strings.Join(all, "; "))
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
