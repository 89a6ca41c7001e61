package health

import (
	"math/rand/v2"
	"time"
)

// task is one probe at work. The monitor's mu guards it. Its times are on the monitor's clock.
type task struct {
	probe   Probe
	verdict verdict
	report  ProbeReport // what is published next; Word and State follow verdict

	// run numbers the runs. A result counts only while its number is this one and open.
	run uint64
	// open says that a run has begun and has no result yet. It may be one in name only: while an earlier check still hangs,
	// nothing is started, and the run times out like any other.
	open bool
	// inFlight says that a goroutine is in the check.
	inFlight bool
	// begun and deadline are the open run's; due is the next run's where none is open.
	begun, deadline, due time.Duration
}

func newTask(p Probe) *task {
	t := &task{probe: p, verdict: unknownVerdict(), report: ProbeReport{Name: p.Name, Level: p.Level, Since: time.Now()}}
	if p.Disabled {
		t.verdict = disabledVerdict()
	}
	t.report.Word, t.report.State = t.verdict.word, t.verdict.state
	return t
}

// schedule sets the first run.
func (t *task) schedule(now time.Duration) {
	if t.probe.Disabled {
		return
	}
	t.due = now + t.probe.InitialDelay
	t.report.staleAt = t.due + t.probe.staleAfter()
}

// begin opens a run at now, and reports whether a goroutine has to be started for it.
func (t *task) begin(now time.Duration) bool {
	t.run++
	t.open = true
	t.begun, t.deadline = now, now+t.probe.Timeout
	if t.inFlight {
		return false
	}
	t.inFlight = true
	return true
}

// result is how a run ended.
type result struct {
	event   event
	latency time.Duration
	err     error
	class   Class
	text    string // for the log
}

// end closes the open run with its result.
func (t *task) end(r result, now time.Duration, epoch time.Time) {
	t.open = false
	t.expire(now, epoch) // before the result: what happened first counts first
	t.turn(r.event, time.Now())

	p := &t.report
	p.Runs++
	if r.event >= failed {
		p.Failures++
		p.FailuresInRow++
		p.PassesInRow = 0
	} else {
		p.PassesInRow++
		p.FailuresInRow = 0
	}
	p.LastRun, p.Latency, p.Err, p.Class = time.Now(), r.latency, r.err, r.class
	p.staleAt = now + t.probe.staleAfter()
	t.due = max(now, t.begun+t.probe.pause(t.verdict, rand.Float64()))
}

// expire notes that no run has ended for too long.
func (t *task) expire(now time.Duration, epoch time.Time) {
	if t.report.staleAt != 0 && now >= t.report.staleAt {
		t.turn(wentStale, epoch.Add(t.report.staleAt))
		t.report.staleAt = 0
	}
}

// turn feeds the state machine.
func (t *task) turn(e event, at time.Time) {
	t.verdict = next(t.verdict, e, t.probe.thresholds())
	p := &t.report
	p.State = t.verdict.state
	if p.Word != t.verdict.word {
		p.Word, p.Since = t.verdict.word, at
	}
}

// wakeAt returns when the task next needs the scheduler.
func (t *task) wakeAt() time.Duration {
	at := t.due
	if t.open {
		at = t.deadline
	}
	if t.report.staleAt != 0 {
		at = min(at, t.report.staleAt)
	}
	return at
}
