package health

import "testing"

func TestNext(t *testing.T) {
	t.Parallel()
	three := thresholds{failure: 3, success: 2}
	one := thresholds{failure: 1, success: 1}
	unknown := unknownVerdict()
	unknown1 := verdict{StateUnknown, WordUnknown, 1}
	ok := verdict{StateOK, WordOK, 0}
	degraded := verdict{StateOK, WordDegraded, 0}
	failing := verdict{StateFailing, WordFailing, 0}
	timeout := verdict{StateFailing, WordTimeout, 0}
	stale := verdict{StateStale, WordStale, 0}

	for _, c := range []struct {
		name  string
		from  verdict
		event event
		th    thresholds
		want  verdict
	}{
		{"first pass of one", unknown, passed, one, ok},
		{"first pass of two", unknown, passed, three, unknown1},
		{"second pass of two", unknown1, passed, three, ok},
		{"a threshold never opens a gate", unknown, failed, three, failing},
		{"nor after a pass", unknown1, timedOut, three, timeout},
		{"first pass, degraded", unknown, passedDegraded, one, degraded},
		{"ok stays ok", ok, passed, three, ok},
		{"ok turns degraded at once", ok, passedDegraded, three, degraded},
		{"degraded turns ok at once", degraded, passed, three, ok},
		{"first failure is a suspicion", ok, failed, three, verdict{StateSuspect, WordOK, 1}},
		{"a suspect keeps its word", degraded, panicked, three, verdict{StateSuspect, WordDegraded, 1}},
		{"second failure", verdict{StateSuspect, WordOK, 1}, timedOut, three, verdict{StateSuspect, WordOK, 2}},
		{"third failure", verdict{StateSuspect, WordOK, 2}, timedOut, three, timeout},
		{"the last failure names it", verdict{StateSuspect, WordOK, 2}, panicked, three, verdict{StateFailing, WordPanic, 0}},
		{"a pass clears a suspicion", verdict{StateSuspect, WordOK, 2}, passed, three, ok},
		{"threshold one", ok, failed, one, failing},
		{"failing otherwise", failing, timedOut, three, timeout},
		{"recovering reads as before", timeout, passed, three, verdict{StateRecovering, WordTimeout, 1}},
		{"recovered", verdict{StateRecovering, WordTimeout, 1}, passed, three, ok},
		{"recovered, degraded", verdict{StateRecovering, WordTimeout, 1}, passedDegraded, three, degraded},
		{"relapse", verdict{StateRecovering, WordTimeout, 1}, failed, three, failing},
		{"recovered at once", failing, passed, one, ok},
		{"stale from unknown", unknown, wentStale, three, stale},
		{"stale from ok", ok, wentStale, three, stale},
		{"stale from failing", failing, wentStale, three, stale},
		{"stale, then a failure", stale, failed, three, failing},
		{"stale, then a pass", stale, passed, one, ok},
		{"stale, then the first pass of two: no longer stale, not ok", stale, passed, three, verdict{StateRecovering, WordFailing, 1}},
		{"disabled never passes", disabledVerdict(), passed, one, disabledVerdict()},
		{"disabled never fails", disabledVerdict(), failed, one, disabledVerdict()},
		{"disabled never goes stale", disabledVerdict(), wentStale, one, disabledVerdict()},
	} {
		if got := next(c.from, c.event, c.th); got != c.want {
			t.Errorf("%s: next(%v, %v) = %v, want %v", c.name, c.from, c.event, got, c.want)
		}
	}
}

// FuzzNext holds the machine against the promises, counted by hand.
func FuzzNext(f *testing.F) {
	f.Add(uint8(3), uint8(1), []byte{0, 2, 2, 2, 0, 5, 0})
	f.Add(uint8(1), uint8(4), []byte{2, 0, 0, 0, 0, 3, 4, 5, 1, 1})
	f.Fuzz(func(t *testing.T, failure, success uint8, events []byte) {
		th := thresholds{failure: int(failure%5) + 1, success: int(success%5) + 1}
		v := unknownVerdict()
		good, passes, failures := false, 0, 0
		for i, b := range events {
			e := event(b % 6)
			v = next(v, e, th)
			switch e {
			case passed, passedDegraded:
				passes, failures = passes+1, 0
				good = good || passes >= th.success
			case wentStale:
				passes, failures, good = 0, 0, false
			default:
				passes, failures = 0, failures+1
				good = good && failures < th.failure
			}
			if v.word.Good() != good {
				t.Fatalf("after %v with %v: %v, but good should be %v", events[:i+1], th, v, good)
			}
			if good != (v.state == StateOK || v.state == StateSuspect) {
				t.Fatalf("after %v: state and word disagree: %v", events[:i+1], v)
			}
			if v.word == WordUnknown && (v.state != StateUnknown || failures > 0) {
				t.Fatalf("after %v: unknown: %v", events[:i+1], v)
			}
			if (v.word == WordStale) != (e == wentStale) {
				t.Fatalf("after %v: stale: %v", events[:i+1], v)
			}
			if v.streak < 0 || v.streak >= max(th.failure, th.success) {
				t.Fatalf("after %v: streak: %v", events[:i+1], v)
			}
		}
	})
}

func TestWords(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		Critical.String(): "critical", Advisory.String(): "advisory", Level(7).String(): "level(7)",
		StatusOK.String(): "ok", StatusDegraded.String(): "degraded", StatusFailing.String(): "failing",
		StatusStarting.String(): "starting", StatusDraining.String(): "draining", Status(9).String(): "status(9)",
		Waiting.String(): "waiting", Serving.String(): "serving", Withdrawn.String(): "withdrawn", Held.String(): "held",
		Offline.String(): "offline", Gone.String(): "gone", Lifecycle(-1).String(): "lifecycle(-1)",
		StateUnknown.String(): "unknown", StateSuspect.String(): "suspect", StateRecovering.String(): "recovering",
		StateStale.String(): "stale", StateDisabled.String(): "disabled", State(12).String(): "state(12)",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
