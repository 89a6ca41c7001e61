package gate

import "github.com/muster-go/muster/health"

// next is the whole of a registration's decisions: what events make of a state, and what to do then.
func next(s state, all ...event) (state, action) {
	if s.life == health.Gone {
		return s, idle
	}
	for _, e := range all {
		if e < evJoined || s.doing.ends(e) {
			s.happen(e)
			s.life = s.name()
		}
	}
	if s.doing != idle {
		return s, idle
	}
	s.doing = s.plan()
	switch s.doing {
	case publish, publishDegraded:
		s.served = true
	case stop:
		s.life = health.Gone
	}
	return s, s.doing
}

// after returns the lifecycle that a result would lead to, for what is written with the request itself.
func (s state) after(result event) health.Lifecycle {
	s.happen(result)
	return s.name()
}

// ends reports whether e can be the result of a.
func (a action) ends(e event) bool {
	switch a {
	case join:
		return e == evJoined || e == evFailed
	case publish, publishDegraded:
		return e == evPublished || e == evFailed
	case withdraw:
		return e == evWithdrawn || e == evHeld || e == evFailed
	case remove:
		return e == evWithdrawn || e == evFailed
	case annotate:
		return e == evAnnotated || e == evFailed
	case census:
		return e == evOpens || e == evPermits || e == evStays || e == evFailed
	case leave:
		return e == evLeft || e == evFailed
	case linger:
		return e == evLingered
	}
	return false
}

// happen takes an event in.
func (s *state) happen(e event) {
	done := s.doing
	if e >= evJoined {
		s.doing = idle
	}
	switch e {
	case evFit, evUnfit:
		if fit := e == evFit; fit != s.fit {
			s.fit, s.once = fit, s.once || fit
			s.settle()
		}
	case evOffline:
		s.offline = true
		s.settle()
	case evOnline:
		s.offline = false
	case evLost, evLostAgain:
		if s.joined {
			s.joined, s.listed, s.told = false, unlisted, true
			s.blocked = e == evLostAgain
			s.settle()
		}
	case evStatus:
		s.told = false
	case evLook:
		s.due = s.looks()
	case evRetry:
		s.blocked = false
	case evDrain:
		if s.life != health.Draining {
			s.life, s.blocked = health.Draining, false
		}

	case evJoined:
		s.joined, s.listed, s.told = true, unlisted, true
	case evPublished:
		s.listed, s.told = plain, true
		if done == publishDegraded {
			s.listed, s.mark, s.kept = degraded, false, !s.fit
		}
	case evWithdrawn:
		s.listed, s.told = unlisted, true
		s.settle()
	case evHeld:
		// Whether it is listed plainly or as degraded may be unknown still: listing it again settles that.
		s.kept, s.told = !s.fit, true
		s.mark = s.kept && s.listed == unsure
	case evAnnotated:
		s.told = true
	case evOpens, evPermits, evStays:
		s.seen(e)
	case evLeft:
		s.joined, s.listed, s.left = false, unlisted, true
	case evLingered:
		s.waited = true
	case evFailed:
		s.fail(done)
	}
	if !s.joined {
		s.listed = unlisted // whatever answered late
	}
}

// seen takes in what a census says to an instance that is still unfit.
func (s *state) seen(e event) {
	s.due = false
	if !s.looks() {
		return
	}
	switch {
	case e == evOpens:
		s.kept = s.listed != unlisted
		s.mark, s.calm = s.listed != degraded, 0
	case e == evStays:
		s.mark, s.calm = s.kept && s.listed != degraded, 0
	case s.kept:
		if s.calm++; s.calm >= calmLooks {
			s.kept, s.calm = false, 0
		}
	}
}

// fail takes in that an action did not get its answer.
func (s *state) fail(a action) {
	switch a {
	case leave: // the membership has ended all the same
		s.joined, s.left = false, true
		return
	case publish, publishDegraded, withdraw, remove:
		s.listed = unsure
	}
	s.blocked = s.blocked || s.life != health.Draining && (s.joined || a == join)
}

// settle forgets what was decided between the instance and the floor.
func (s *state) settle() { s.kept, s.mark, s.calm, s.due = false, false, 0, false }
