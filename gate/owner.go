package gate

import (
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
)

const (
	// glance is how often an owner looks at the report unasked: a scheduler that has died makes a report stale without a word,
	// and a roster entry may have been too young to be written again.
	glance = time.Second
	// young is the age below which a membership that was joined again, and is lost again, makes the next attempt wait.
	young = 5 * time.Second
)

// owner is the goroutine of a registration. Nothing else touches its fields.
type owner struct {
	r     *Registration
	s     state
	m     naming.Membership // nil unless s.joined
	again bool              // the address has been held before

	report  *health.Report
	census  naming.Census
	short   int // looks in a row that found too few serving
	written status
	trouble trouble

	joinedAt time.Time
	rejoined bool
	retryAt  time.Time
	retries  *backoff.ExponentialBackOff
	lookAt   time.Time
	looks    *backoff.ExponentialBackOff
}

func newOwner(r *Registration) *owner {
	return &owner{r: r, s: state{told: true}, retries: retryPace(), looks: lookPace()}
}

// run takes facts in, asks what to do, and does it, until the registration has gone.
func (o *owner) run() {
	defer o.r.end()
	var result []event
	for {
		report, changed := o.r.gate.o.Monitor.Observe()
		o.report = report
		if !report.Fit {
			o.trouble.last = o.bad()
		}
		s, a := next(o.s, append(result, o.facts()...)...)
		o.schedule(s)
		o.s = s
		o.r.show(s.life, o.detail(), o.circumstances())
		o.r.gate.summarize(false)
		switch result = nil; a {
		case stop:
			return
		case idle:
			if !s.blocked {
				o.trouble.turn = ""
			}
			o.wait(changed)
		default:
			result = append(result, o.do(a))
		}
	}
}

// facts returns what differs between the state and the world.
func (o *owner) facts() []event {
	var all []event
	if o.r.living.Err() != nil {
		if !o.s.leaving() {
			all = append(all, evDrain)
		}
		return all
	}
	now := time.Now()
	if o.m != nil {
		all = append(all, o.hear(now)...)
	}
	if o.report.Fit != o.s.fit {
		e := evUnfit
		if o.report.Fit {
			e = evFit
		}
		all = append(all, e)
	}
	if o.s.blocked && !now.Before(o.retryAt) {
		all = append(all, evRetry)
	}
	if !o.lookAt.IsZero() && !now.Before(o.lookAt) {
		all = append(all, evLook)
	}
	return all
}

// hear returns what the membership says.
func (o *owner) hear(now time.Time) []event {
	var all []event
	select {
	case <-o.m.Done():
		all = append(all, o.lost(now))
		return all
	default:
	}
	n := o.m.Notice()
	o.trouble.overwritten(o.r, n.Conflict)
	off := n.Offline
	if off != nil && !off.Until.IsZero() && !now.Before(off.Until) {
		off = nil
	}
	o.trouble.order = off
	if out := off != nil; out != o.s.offline {
		e := evOnline
		if out {
			e = evOffline
		} else {
			o.trouble.online(n.Offline != nil)
		}
		all = append(all, e)
	}
	if o.s.joined && o.s.told && o.written.stale(o.status(o.s.life), now) {
		all = append(all, evStatus)
	}
	return all
}

// lost takes the end of the membership in.
func (o *owner) lost(now time.Time) event {
	err := o.m.Err()
	o.m = nil
	o.trouble.lost(o.r, err)
	again := o.rejoined && now.Sub(o.joinedAt) < young
	o.rejoined = true
	if !again {
		return evLost
	}
	o.retryAt = now.Add(o.retries.NextBackOff())
	return evLostAgain
}

// schedule sets when to look next, as the state has become one that looks or has ceased to be.
func (o *owner) schedule(s state) {
	switch {
	case !s.looks() || o.r.floor.Strict():
		o.lookAt = time.Time{}
	case o.lookAt.IsZero():
		o.looks.Reset()
		o.short = 0
		o.lookAt = time.Now().Add(firstLook())
	}
}

// wait returns when there may be something new.
func (o *owner) wait(changed <-chan struct{}) {
	now := time.Now()
	until := now.Add(glance)
	for _, at := range []time.Time{o.lookAt, o.trouble.until()} {
		if at.After(now) && at.Before(until) {
			until = at
		}
	}
	if o.s.blocked && o.retryAt.Before(until) {
		until = o.retryAt
	}
	t := time.NewTimer(until.Sub(now))
	defer t.Stop()
	var done, notice <-chan struct{}
	if o.m != nil {
		done, notice = o.m.Done(), o.m.Changed()
	}
	select {
	case <-changed:
	case <-done:
	case <-notice:
	case <-o.r.living.Done():
	case <-t.C:
	}
}
