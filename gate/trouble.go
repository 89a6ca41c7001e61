package gate

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
)

// logPause is the least time between two lines about requests of one registration that fail, whether they go on failing or
// fail time and again.
const logPause = 30 * time.Second

// trouble is what stands between a registration and what it wants, in words for people.
type trouble struct {
	order    *naming.Offline
	conflict string
	ended    error  // how the last membership ended, until the next one
	turn     string // what has happened, beside what the probes say, since the registration last stood still
	last     string // the critical probes that failed last
	failures int
	since    time.Time
	logged   time.Time
	said     bool // the log has a line about this row of failures
}

// failed counts a failure, and logs the first and then some.
func (t *trouble) failed(r *Registration, a action, err error) {
	now := time.Now()
	t.failures++
	first := t.failures == 1
	if first {
		t.since, t.said = now, false
	}
	if taken, ok := errors.AsType[*naming.TakenError](err); ok {
		t.disputed(r, taken.Error())
	}
	if now.Sub(t.logged) < logPause {
		if first {
			r.gate.journal.leaveOut()
		}
		return
	}
	t.logged = now
	if !r.gate.journal.repeat(msgFailed) {
		return
	}
	t.said = true
	r.log.Warn(msgFailed, "request", a.String(), "error", err, "attempts", t.failures,
		"for", now.Sub(t.since).Round(time.Millisecond))
}

// over ends a row of failures. Its end is worth a line where its beginning was.
func (t *trouble) over(r *Registration) {
	if t.failures == 0 {
		return
	}
	if t.turn == "" {
		t.turn = "the registry has answered"
	}
	if t.said && r.gate.journal.repeat(msgAnswers) {
		r.log.Info(msgAnswers, "attempts", t.failures+1, "after", time.Since(t.since).Round(time.Millisecond))
	}
	t.failures = 0
}

// lost takes in how a membership ended.
func (t *trouble) lost(r *Registration, err error) {
	t.ended = err
	if taken, ok := errors.AsType[*naming.TakenError](err); ok {
		t.disputed(r, taken.Error())
		return
	}
	if r.gate.journal.repeat(msgLost) {
		r.log.Warn(msgLost, "error", err)
	}
}

// joined forgets how the last membership ended; what the new one says of conflicts is heard anyway.
func (t *trouble) joined() {
	if t.ended != nil {
		t.turn = "joined again"
	}
	t.ended = nil
}

// online takes in that no operator's order is in force any more.
func (t *trouble) online(ranOut bool) {
	t.turn = "the operator's order is gone"
	if ranOut {
		t.turn = "the operator's order has run out"
	}
}

// disputed says once that somebody else claims the address.
func (t *trouble) disputed(r *Registration, conflict string) {
	if conflict != "" && conflict != t.conflict && r.gate.journal.repeat(msgConflict) {
		r.log.Error(msgConflict, "conflict", conflict)
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
		d := fmt.Sprintf("degraded: %s, but the floor of %s keeps it serving", cmp.Or(o.bad(), allPass), o.r.floor)
		if c := o.census; c.Alive > 0 {
			d += fmt.Sprintf(" (%d of %d unfit)", c.Unfit, c.Alive)
		}
		all = append(all, d)
	case health.Withdrawn:
		all = append(all, cmp.Or(o.bad(), allPass))
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

func (a action) String() string {
	return [...]string{
		"idle", "join", "publish", "publish degraded", "withdraw", "go offline", "annotate", "census", "leave",
		"linger", "stop",
	}[a]
}
