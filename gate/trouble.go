package gate

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
)

// logPause is the least time between two lines about requests that go on failing.
const logPause = 30 * time.Second

// trouble is what stands between a registration and what it wants, in words for people.
type trouble struct {
	order    *naming.Offline
	conflict string
	ended    error // how the last membership ended, until the next one
	failures int
	since    time.Time
	logged   time.Time
}

// failed counts a failure, and logs the first and then some.
func (t *trouble) failed(r *Registration, a action, err error) {
	now := time.Now()
	t.failures++
	if t.failures == 1 {
		t.since = now
	}
	if taken, ok := errors.AsType[*naming.TakenError](err); ok {
		t.disputed(r, taken.Error())
	}
	if t.failures > 1 && now.Sub(t.logged) < logPause {
		return
	}
	t.logged = now
	r.log.Warn("the registry did not do it; trying again", "request", a.String(), "error", err, "attempts", t.failures,
		"for", now.Sub(t.since).Round(time.Millisecond))
}

// over ends a row of failures.
func (t *trouble) over(r *Registration) {
	if t.failures > 0 {
		r.log.Info("the registry answers again", "attempts", t.failures+1, "after", time.Since(t.since).Round(time.Millisecond))
	}
	t.failures, t.logged = 0, time.Time{}
}

// lost takes in how a membership ended.
func (t *trouble) lost(r *Registration, err error) {
	t.ended = err
	if taken, ok := errors.AsType[*naming.TakenError](err); ok {
		t.disputed(r, taken.Error())
		return
	}
	r.log.Warn("lost the place in the registry; joining again", "error", err)
}

// joined forgets how the last membership ended; what the new one says of conflicts is heard anyway.
func (t *trouble) joined() { t.ended = nil }

// disputed says once that somebody else claims the address.
func (t *trouble) disputed(r *Registration, conflict string) {
	if conflict != "" && conflict != t.conflict {
		r.log.Error("conflict in the registry", "conflict", conflict)
	}
	t.conflict = conflict
}

// overwritten takes in what a live membership says of a conflict.
func (t *trouble) overwritten(r *Registration, conflict string) { t.disputed(r, conflict) }

// until is when an operator's order ends by itself; zero for never.
func (t *trouble) until() time.Time {
	if t.order == nil {
		return time.Time{}
	}
	return t.order.Until
}

// detail says why the registration stands where it stands. It holds names and counts, never an error's text.
func (o *owner) detail() string {
	t := &o.trouble
	var all []string
	if t.conflict != "" {
		all = append(all, "conflict: "+t.conflict)
	}
	switch o.s.life {
	case health.Offline:
		all = append(all, o.order())
	case health.Held:
		d := fmt.Sprintf("degraded: %s, but the floor of %s keeps it serving", o.bad(), o.r.floor)
		if c := o.census; c.Alive > 0 {
			d += fmt.Sprintf(" (%d of %d unfit)", c.Unfit, c.Alive)
		}
		all = append(all, d)
	case health.Withdrawn:
		all = append(all, o.bad())
	case health.Waiting:
		if !o.report.Fit {
			all = append(all, o.bad())
		}
		if t.ended != nil && t.conflict == "" {
			all = append(all, "lost its place in the registry, joining again")
		}
	case health.Draining, health.Gone:
		return ""
	}
	if t.failures > 0 && t.conflict == "" {
		all = append(all, "the registry does not answer")
	}
	return strings.Join(all, "; ")
}

// cause says in short what led to the state.
func (o *owner) cause() string {
	switch o.s.life {
	case health.Serving:
		return "every critical probe passes"
	case health.Withdrawn, health.Held:
		return o.bad()
	case health.Offline:
		return o.order()
	case health.Waiting:
		if o.trouble.ended != nil {
			return "the membership has ended"
		}
		return "registered"
	case health.Draining:
		return "deregistered"
	case health.Gone:
		return "left"
	}
	return ""
}

func (o *owner) order() string {
	d := "offline"
	if p := o.trouble.order; p != nil {
		d += " by " + p.By
		if !p.Until.IsZero() {
			d += " until " + p.Until.UTC().Format(time.RFC3339)
		}
	}
	return d
}

// bad lists the critical probes that don't pass.
func (o *owner) bad() string {
	var all []string
	for i := range o.report.Probes {
		p := &o.report.Probes[i]
		if p.Level == health.Critical && !p.Word.Good() && p.Word != health.WordDisabled {
			all = append(all, p.Name+" "+string(p.Word))
		}
	}
	if len(all) == 0 {
		return "every critical probe passes"
	}
	return strings.Join(all, ", ")
}

func (a action) String() string {
	return [...]string{
		"idle", "join", "publish", "publish degraded", "withdraw", "go offline", "annotate", "census", "leave",
		"linger", "stop",
	}[a]
}
