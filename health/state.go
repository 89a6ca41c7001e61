package health

import "strconv"

// State is where a probe stands inside; its [Word] is what is said outside.
type State int

const (
	// StateUnknown: no verdict yet. The first failure ends it, SuccessThreshold passes in a row end it too.
	StateUnknown State = iota
	// StateOK: passing.
	StateOK
	// StateSuspect: failed, but fewer than FailureThreshold times in a row. Outside it still reads as it did.
	StateSuspect
	// StateFailing: failed FailureThreshold times in a row, or at its very first run.
	StateFailing
	// StateRecovering: passing again, but fewer than SuccessThreshold times in a row. Outside it still fails.
	StateRecovering
	// StateStale: no run has ended for too long.
	StateStale
	// StateDisabled: never run.
	StateDisabled
)

// String returns the state's name in lower case.
func (s State) String() string {
	switch s {
	case StateUnknown:
		return "unknown"
	case StateOK:
		return "ok"
	case StateSuspect:
		return "suspect"
	case StateFailing:
		return "failing"
	case StateRecovering:
		return "recovering"
	case StateStale:
		return "stale"
	case StateDisabled:
		return "disabled"
	}
	return "state(" + strconv.Itoa(int(s)) + ")"
}

// event is how a run ended, or that none did.
type event int

const (
	passed event = iota
	passedDegraded
	failed
	timedOut
	panicked
	wentStale
)

// thresholds are the counts of runs in a row that turn a verdict. Both are at least 1.
type thresholds struct{ failure, success int }

// verdict is the state of the machine. The zero value is not one: begin with unknownVerdict.
type verdict struct {
	state State
	word  Word
	// streak counts the runs in a row that ended alike, towards the threshold; it means something in StateUnknown (passes),
	// StateSuspect (failures) and StateRecovering (passes), and is 0 elsewhere.
	streak int
}

func unknownVerdict() verdict  { return verdict{state: StateUnknown, word: WordUnknown} }
func disabledVerdict() verdict { return verdict{state: StateDisabled, word: WordDisabled} }

// next is the whole state machine of a probe. A threshold delays a change for the worse only where the probe has been ok:
// it never opens a gate.
func next(v verdict, e event, t thresholds) verdict {
	switch {
	case v.state == StateDisabled:
		return v
	case e == wentStale:
		return verdict{state: StateStale, word: WordStale}
	case e == passed || e == passedDegraded:
		return nextPassed(v, e, t.success)
	default:
		return nextFailed(v, e, t.failure)
	}
}

func nextPassed(v verdict, e event, need int) verdict {
	good := verdict{state: StateOK, word: WordOK}
	if e == passedDegraded {
		good.word = WordDegraded
	}
	switch v.state {
	case StateOK, StateSuspect:
		return good // it never stopped being ok outside, so one pass clears the suspicion
	case StateUnknown:
		if v.streak+1 >= need {
			return good
		}
		return verdict{state: StateUnknown, word: WordUnknown, streak: v.streak + 1}
	}
	if v.streak+1 >= need { // streak is 0 in StateFailing and StateStale
		return good
	}
	word := v.word
	if word == WordStale {
		word = WordFailing // a run has ended, so it is not stale any more; it isn't ok either
	}
	return verdict{state: StateRecovering, word: word, streak: v.streak + 1}
}

func nextFailed(v verdict, e event, need int) verdict {
	bad := verdict{state: StateFailing, word: WordFailing}
	switch e {
	case timedOut:
		bad.word = WordTimeout
	case panicked:
		bad.word = WordPanic
	}
	if v.state != StateOK && v.state != StateSuspect || v.streak+1 >= need {
		return bad
	}
	return verdict{state: StateSuspect, word: v.word, streak: v.streak + 1}
}

// pending reports whether the next runs decide something, so that they should come sooner.
func (v verdict) pending() bool {
	return v.state == StateSuspect || v.state == StateRecovering || v.state == StateUnknown
}
