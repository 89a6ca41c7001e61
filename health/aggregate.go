package health

// facts are all that the status of a process depends on.
type facts struct {
	probes        []ProbeReport
	registrations []Registration
	// running says that Start has been called.
	running bool
	// started is the latch of Report.Started.
	started bool
	// left says that a registration left for good and was detached, and none has been attached since.
	left bool
}

// aggregate sums the facts up. In order of weight:
//
//   - draining: each registration leaves, is offline or gone, and there is or was one. While another one still stands
//     the process is not draining: its traffic has to go on.
//   - failing: a critical probe is not ok. If one is stale it is failing whatever a gate says, since then nobody knows;
//     otherwise a process of which any registration is held is degraded and ready: the registry keeps it serving because too
//     many are unfit, and a readiness of 503 would take it out by another door. One held registration is enough: the
//     withdrawn one beside it gets no calls anyway, and being ready doesn't bring it back.
//   - starting: a critical probe has no verdict, or Start has not been called.
//   - degraded: an advisory probe is not ok, or a critical one passes degraded.
//
// A registration that waits or is withdrawn changes nothing by itself: the registry may be away, and the process can
// answer all the same.
func aggregate(f facts) (s Status, ready, fit, started bool) {
	fit = true
	var bad, stale, unknown, degraded bool
	for i := range f.probes {
		p := &f.probes[i]
		switch {
		case p.Word == WordDisabled || p.Word == WordOK:
		case p.Level == Advisory || p.Word == WordDegraded:
			degraded = true
		default:
			fit = false
			unknown = unknown || p.Word == WordUnknown
			stale = stale || p.Word == WordStale
			bad = bad || p.Word != WordUnknown
		}
	}
	leaving, held := f.left, false
	for i := range f.registrations {
		if i == 0 {
			leaving = true
		}
		leaving = leaving && f.registrations[i].State.leaving()
		held = held || f.registrations[i].State == Held
	}
	started = f.started || f.running && fit

	switch {
	case leaving:
		s = StatusDraining
	case stale:
		s = StatusFailing
	case !f.running:
		s = StatusStarting
	case !fit && held:
		s = StatusDegraded
	case bad:
		s = StatusFailing
	case unknown:
		s = StatusStarting
	case degraded:
		s = StatusDegraded
	}
	return s, s == StatusOK || s == StatusDegraded, fit, started
}
