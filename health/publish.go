package health

import (
	"math"
	"slices"
	"time"
)

// never is later than anything on a monitor's clock.
const never = time.Duration(math.MaxInt64)

// current is one published report. It is immutable.
type current struct {
	report *Report
	// changed is closed when a report that matters more replaces this one. Reports that don't matter hand it on.
	changed chan struct{}
	// staleAt is when the first word in the report goes stale.
	staleAt time.Duration
	facts   facts
}

// Report returns the latest report. It never blocks, runs no probe and allocates nothing, except once for the first reader
// to find that a probe has gone stale.
func (m *Monitor) Report() *Report { return m.read().report }

// Observe returns the latest report, and a channel that is closed when a word, the status, fitness or a lifecycle has
// changed since; runs that end as before close nothing. Changes in quick succession may join into one. After Close the
// channel is closed only by a [Source], or by a reader to find that a probe has gone stale.
//
//	for {
//		report, changed := m.Observe()
//		... // use report
//		select {
//		case <-changed:
//		case <-ctx.Done():
//			return
//		}
//	}
func (m *Monitor) Observe() (*Report, <-chan struct{}) {
	c := m.read()
	return c.report, c.changed
}

func (m *Monitor) read() *current {
	c := m.current.Load()
	if c.staleAt == never || m.now() < c.staleAt {
		return c
	}
	return m.replace(func(old *current) *current {
		now := m.now()
		if now < old.staleAt {
			return old
		}
		f := old.facts
		f.probes = slices.Clone(f.probes)
		for i := range f.probes {
			f.probes[i].expire(now, m.epoch)
		}
		return newCurrent(f)
	})
}

// publishLocked makes the tasks' and registrations' standing the current report.
func (m *Monitor) publishLocked() {
	f := facts{running: m.running, started: m.started, left: m.left}
	now := m.now()
	f.probes = make([]ProbeReport, len(m.tasks))
	for i, t := range m.tasks {
		t.expire(now, m.epoch)
		f.probes[i] = t.report
	}
	f.registrations = make([]Registration, len(m.registrations))
	for i, s := range m.registrations {
		f.registrations[i] = s.r
	}
	slices.SortStableFunc(f.registrations, compareRegistrations)
	next := newCurrent(f)
	m.started = next.report.Started
	m.replace(func(*current) *current { c := *next; return &c })
}

// newCurrent returns what follows from the facts; replace fills the rest in.
func newCurrent(f facts) *current {
	r := &Report{Probes: f.probes, Registrations: f.registrations}
	r.Status, r.Ready, r.Fit, r.Started = aggregate(f)
	f.started = r.Started
	c := &current{report: r, staleAt: never, facts: f}
	for i := range f.probes {
		if at := f.probes[i].staleAt; at != 0 && f.running {
			c.staleAt = min(c.staleAt, at)
		}
	}
	return c
}

// replace swaps the current report for what build returns, unless that is the old one itself, and wakes those who observe
// if the change matters. It is the only place that writes it, so that whoever wins the swap owns the closing of the
// channel.
func (m *Monitor) replace(build func(old *current) *current) *current {
	for {
		old := m.current.Load()
		c := build(old)
		if c == old {
			return old
		}
		matters := old.report.matters(c.report)
		c.changed, c.report.Revision = old.changed, old.report.Revision
		if matters {
			c.changed = make(chan struct{})
			c.report.Revision++
		}
		if m.current.CompareAndSwap(old, c) {
			if matters {
				close(old.changed)
			}
			return c
		}
	}
}

// expire turns a word that nobody vouches for any more into stale. It is the reading side of [task.expire].
func (p *ProbeReport) expire(now time.Duration, epoch time.Time) {
	if p.staleAt == 0 || now < p.staleAt {
		return
	}
	p.Word, p.State, p.Since = WordStale, StateStale, epoch.Add(p.staleAt)
	p.staleAt = 0
}
