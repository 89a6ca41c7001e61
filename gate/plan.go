package gate

import "github.com/muster-go/muster/health"

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
