package rig

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// missing says in what way the registry is not as expected, or "", and which living leases nothing is on.
func (w *World) missing(ctx context.Context) (what string, idle []int64) {
	v, err := w.Observer.Look(ctx)
	if err != nil {
		return "etcd does not answer the observer: " + err.Error(), nil
	}
	serving, roster := map[string]bool{}, map[string]bool{}
	for _, i := range w.Instances() {
		if i.Want == Serving {
			serving[i.Key()] = true
		}
		roster[i.Roster()] = true
	}
	var all []string
	compare := func(want map[string]bool, got map[string]string) {
		for k := range want {
			if _, ok := got[k]; !ok {
				all = append(all, "not there: "+k)
			} else if !v.Leases[v.Keys[k]] {
				all = append(all, "not on a living lease: "+k)
			}
		}
		for k := range got {
			if !want[k] && !strings.Contains(k, "/crowd/") {
				all = append(all, "still there: "+k)
			}
		}
	}
	compare(serving, v.Serving)
	compare(roster, v.Roster)
	if len(all) > 0 {
		return strings.Join(all, ", "), v.idle()
	}
	for _, service := range []string{ServiceA, ServiceB} {
		got, err := w.Observer.Resolve(ctx, service)
		if err != nil {
			return "the unmodified resolver: " + err.Error(), v.idle()
		}
		if want := v.addresses(service); !slices.Equal(got, want) {
			return fmt.Sprintf("the unmodified resolver sees %v of %s, want %v", got, service, want), v.idle()
		}
	}
	return "", v.idle()
}

// awaitExpected waits until the registry shows what is expected, and no lease that nothing is on.
func (w *World) awaitExpected(ctx context.Context) error {
	for last := ""; ; {
		what, idle := w.missing(ctx)
		if what == "" && len(idle) == 0 {
			return nil
		}
		if what == "" {
			what = fmt.Sprintf("leases that nothing is on: %x", idle)
		}
		if ctx.Err() != nil {
			if last != "" {
				what = last // this look was cut short
			}
			err := fmt.Errorf("the registry is not as it should be: %s", what)
			for _, i := range w.Instances() {
				if i.Addr != "" && strings.Contains(what, i.Addr) {
					err = errors.Join(err, fmt.Errorf("    %s:\n%s", i.Name, i.Tail(8)))
				}
			}
			return err
		}
		last = what
		pause(ctx, 20*time.Millisecond)
	}
}

// Restored waits until the registry shows what is expected, as the observer and the unmodified resolver see it, and every
// instance that should serve has answered a call since. It records how long that took since the fault ended.
func (w *World) Restored(ctx context.Context, since time.Time, within time.Duration) error {
	rctx, cancel := context.WithDeadlineCause(ctx, time.Now().Add(max(within*4, 20*time.Second)), errors.New("not restored"))
	defer cancel()
	if err := w.awaitExpected(rctx); err != nil {
		return err
	}
	took := max(time.Since(since), 0)
	w.mu.Lock()
	w.restored = max(w.restored, took)
	w.mu.Unlock()
	w.Say("restored after %v", took.Round(time.Millisecond))
	if took > within {
		w.Breach("restored after %v, not within %v", took.Round(time.Millisecond), within)
	}
	return w.Flowing(rctx)
}

// Flowing waits until every instance that should serve has answered a call from now on.
func (w *World) Flowing(ctx context.Context) error {
	if w.Caller == nil {
		return nil
	}
	var addrs []string
	for _, i := range w.Instances() {
		if i.Want == Serving && (!w.Scenario.Late || i.Service == ServiceA) {
			addrs = append(addrs, i.Addr)
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, errors.New("not within 20s"))
	defer cancel()
	return w.Ledger.AwaitAll(ctx, w.Ledger.Mark(), addrs)
}

// idleFor is how long a lease may live before the first key is on it, or after the last one: a join and a leave are two
// requests each.
const idleFor = 500 * time.Millisecond

// Steady watches for a lease TTL and a second more that the registry stays as it is: a lease that nobody renews would have
// run out by then.
func (w *World) Steady(ctx context.Context) error {
	end := time.Now().Add(w.TTL + time.Second)
	unused := map[int64]time.Time{} // since when
	for time.Now().Before(end) {
		what, idle := w.missing(ctx)
		if what != "" {
			if what, idle = w.missing(ctx); what != "" { // two reads are not one: a change between them is not a fault
				w.Breach("not steady: %s", what)
				return nil
			}
		}
		maps.DeleteFunc(unused, func(lease int64, _ time.Time) bool { return !slices.Contains(idle, lease) })
		for _, lease := range idle {
			if since, ok := unused[lease]; !ok {
				unused[lease] = time.Now()
			} else if time.Since(since) > idleFor {
				w.Breach("not steady: nothing has been on the lease %x for %v", lease, idleFor)
				return nil
			}
		}
		pause(ctx, 100*time.Millisecond)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// Tidy waits until no lease lives that nothing is on, and has that checked against a limit.
func (w *World) Tidy(ctx context.Context, since time.Time, within time.Duration) error {
	tctx, cancel := context.WithTimeoutCause(ctx, max(3*within, 10*time.Second), errors.New("still there"))
	defer cancel()
	for {
		v, err := w.Observer.Look(tctx)
		idle := v.idle()
		if err == nil && len(idle) == 0 {
			break
		}
		if tctx.Err() != nil {
			return fmt.Errorf("leases that nothing is on: %x: %w", idle, context.Cause(tctx))
		}
		pause(tctx, 20*time.Millisecond)
	}
	if took := time.Since(since); took > within {
		w.Breach("a lease that nothing is on lived for %v, at most %v", took.Round(time.Millisecond), within)
	}
	return nil
}

// Gone waits until nothing of an instance is in the registry, and has that checked against a limit.
func (w *World) Gone(ctx context.Context, i *Instance, since time.Time, within time.Duration) error {
	gctx, cancel := context.WithTimeoutCause(ctx, max(3*within, 10*time.Second), errors.New("still there"))
	defer cancel()
	for _, k := range []string{i.Key(), i.Roster()} {
		at, err := w.Observer.AwaitKey(gctx, k, false)
		if err != nil {
			return err
		}
		if took := at.Sub(since); took > within {
			w.Breach("%s was there for %v, at most %v", k, took.Round(time.Millisecond), within)
		}
	}
	w.Say("%s gone after %v", i.Name, time.Since(since).Round(time.Millisecond))
	return nil
}

// Listed waits until an instance is listed, whatever else is, and has that checked against a limit.
func (w *World) Listed(ctx context.Context, i *Instance, since time.Time, within time.Duration) error {
	lctx, cancel := context.WithTimeoutCause(ctx, max(3*within, 10*time.Second), errors.New("not listed"))
	defer cancel()
	at, err := w.Observer.AwaitKey(lctx, i.Key(), true)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, i.Tail(8))
	}
	took := max(at.Sub(since), 0)
	w.mu.Lock()
	w.restored = max(w.restored, took)
	w.mu.Unlock()
	if took > within {
		w.Breach("%s was listed after %v, not within %v", i.Name, took, within)
	}
	return nil
}

// CallLate has the second service called from now on, and waits until all of its instances have been.
func (w *World) CallLate(ctx context.Context) error {
	w.Scenario.Late = false
	if err := w.Caller.Order("call " + ServiceB); err != nil {
		return err
	}
	return w.Flowing(ctx)
}
