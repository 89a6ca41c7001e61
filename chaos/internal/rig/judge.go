package rig

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Grace is how long after an announced leave the instance may still be picked. Muster needs milliseconds; a busy
// machine may hand the observer its event earlier than the caller.
const Grace = 250 * time.Millisecond

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
