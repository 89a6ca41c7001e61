package health

import "strconv"

// Level says what a failing probe means for the process.
type Level int

const (
	// Critical: the process can't serve without it. This is the zero value.
	Critical Level = iota
	// Advisory: the process serves without it, worse; it is degraded, and stays in the registry.
	Advisory
)

// String returns "critical" or "advisory".
func (l Level) String() string {
	switch l {
	case Critical:
		return "critical"
	case Advisory:
		return "advisory"
	}
	return "level(" + strconv.Itoa(int(l)) + ")"
}

// Word is what is said of one probe outside. The set is closed: programs match on it.
type Word string

const (
	// WordOK: the check passes. It is said of a suspect probe too, until the threshold is crossed.
	WordOK Word = "ok"
	// WordDegraded: the check passes and says itself that something is wrong; see [Degraded].
	WordDegraded Word = "degraded"
	// WordFailing: the check returns an error.
	WordFailing Word = "failing"
	// WordTimeout: the check did not return in time, or returned an error that says so.
	WordTimeout Word = "timeout"
	// WordPanic: the check panicked, or ended its goroutine without returning.
	WordPanic Word = "panic"
	// WordStale: no run has ended for three intervals and a timeout.
	WordStale Word = "stale"
	// WordUnknown: there is no verdict yet.
	WordUnknown Word = "unknown"
	// WordDisabled: the probe is switched off and counts for nothing.
	WordDisabled Word = "disabled"
)

// Good reports whether the process can rely on the dependency: ok or degraded.
func (w Word) Good() bool { return w == WordOK || w == WordDegraded }

// Status is what is said of the whole process.
type Status int

const (
	// StatusOK: every enabled probe is ok.
	StatusOK Status = iota
	// StatusDegraded: an advisory probe is not ok, a critical one passes degraded, or the process is held.
	StatusDegraded
	// StatusFailing: a critical probe is not ok.
	StatusFailing
	// StatusStarting: a critical probe has no verdict yet, or the monitor has not been started.
	StatusStarting
	// StatusDraining: the process leaves, or an operator took it out: each of its registrations is draining, offline or gone.
	StatusDraining
)

// String returns "ok", "degraded", "failing", "starting" or "draining".
func (s Status) String() string {
	switch s {
	case StatusOK:
		return "ok"
	case StatusDegraded:
		return "degraded"
	case StatusFailing:
		return "failing"
	case StatusStarting:
		return "starting"
	case StatusDraining:
		return "draining"
	}
	return "status(" + strconv.Itoa(int(s)) + ")"
}

// Lifecycle is where one registration stands, as its gate says.
type Lifecycle int

const (
	// Waiting: not published yet; the probes have not all passed, or the registry is away.
	Waiting Lifecycle = iota
	// Serving: listed for traffic.
	Serving
	// Withdrawn: alive, unfit, not listed.
	Withdrawn
	// Held: unfit, but kept serving because too many are unfit.
	Held
	// Offline: taken out by an operator.
	Offline
	// Draining: leaving for good, still answering.
	Draining
	// Gone: has left.
	Gone
)

// String returns the state's name in lower case.
func (l Lifecycle) String() string {
	switch l {
	case Waiting:
		return "waiting"
	case Serving:
		return "serving"
	case Withdrawn:
		return "withdrawn"
	case Held:
		return "held"
	case Offline:
		return "offline"
	case Draining:
		return "draining"
	case Gone:
		return "gone"
	}
	return "lifecycle(" + strconv.Itoa(int(l)) + ")"
}

// leaving reports whether a registration in this state takes no new traffic by decision, not by its probes.
func (l Lifecycle) leaving() bool { return l == Offline || l == Draining || l == Gone }
