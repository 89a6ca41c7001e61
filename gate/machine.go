package gate

import "github.com/muster-go/muster/health"

// calmLooks is how many looks in a row must find an orderly withdrawal permitted before a held instance tries one again.
const calmLooks = 3

// event is one thing that happened to a registration.
type event int

const (
	// Facts. They may come at any time.
	evFit       event = iota // every critical probe passes
	evUnfit                  // not so
	evOffline                // an operator's order
	evOnline                 // and its end
	evLost                   // the membership has ended: join again at once
	evLostAgain              // the same, so soon after joining that the next attempt has to wait
	evStatus                 // the roster's entry is out of date
	evLook                   // it is time for an unfit instance to look at the others
	evRetry                  // it is time to try again after a failure
	evDrain                  // leave for good

	// Results of the action in progress. At any other time they mean nothing.
	evJoined
	evPublished
	evWithdrawn
	evHeld
	evAnnotated
	evOpens   // too many are unfit: the withdrawn serve again
	evPermits // the floor would let this one go
	evStays   // neither
	evLeft
	evLingered
	evFailed // whether it was done is not known

	events // how many there are
)

// action is what the owner does next. Each but idle and stop ends with a result.
type action int

const (
	idle action = iota
	join
	publish         // plainly
	publishDegraded // unfit, since the floor needs it
	withdraw        // if the floor lets it go
	remove          // by an operator's order: no floor
	annotate
	census
	leave
	linger // serve on for the drain delay
	stop
)

// listing is what the registry lists of the instance, as far as is known.
type listing int

const (
	unlisted listing = iota
	plain
	degraded
	unsure // a request failed that may have been done all the same
)

// state is all that a registration's decisions depend on. The zero value is a registration that has just begun.
type state struct {
	life    health.Lifecycle
	doing   action // the action in progress
	joined  bool   // the membership is alive
	fit     bool
	once    bool // it has been fit since it was registered
	offline bool
	listed  listing
	served  bool // it has been listed, or may have been
	kept    bool // unfit, and the floor keeps it serving
	mark    bool // it has to be listed as degraded
	calm    int  // looks in a row that would have let it go
	due     bool // it has to look
	told    bool // the roster's entry is up to date
	blocked bool // the last request failed: wait for evRetry
	left    bool
	waited  bool
}

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

// looks reports whether the instance is one that has to look at the others from time to time: unfit, and either out or
// kept in.
func (s *state) looks() bool {
	return s.joined && s.once && !s.fit && !s.offline && !s.leaving() && (s.listed == unlisted || s.kept)
}

func (s *state) leaving() bool { return s.life == health.Draining || s.life == health.Gone }

// plan returns what there is to do in a state.
func (s *state) plan() action {
	switch {
	case s.leaving():
		return s.planLeave()
	case s.blocked:
		return idle
	case !s.joined:
		return join
	case s.offline && s.listed != unlisted:
		return remove
	case !s.offline && s.fit && s.listed != plain:
		return publish
	case !s.offline && !s.fit && s.mark:
		return publishDegraded
	case !s.offline && !s.fit && s.listed != unlisted && !s.kept:
		return withdraw
	case !s.told:
		return annotate
	case s.due && s.looks():
		return census
	}
	return idle
}

func (s *state) planLeave() action {
	switch {
	case s.joined && !s.left:
		return leave
	case s.served && !s.waited:
		return linger
	}
	return stop
}

// name returns the lifecycle that a state is shown as.
func (s *state) name() health.Lifecycle {
	switch {
	case s.leaving():
		return s.life
	case s.offline:
		return health.Offline
	case !s.joined:
		return health.Waiting
	case s.kept || s.listed == degraded:
		return health.Held
	case s.listed == plain:
		return health.Serving
	case s.listed == unlisted && (!s.once || s.fit && s.life == health.Waiting):
		return health.Waiting
	case s.listed == unlisted, s.life == health.Offline:
		return health.Withdrawn
	}
	return s.life // until the registry has answered
}
