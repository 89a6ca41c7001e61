package health

import "testing"

func TestAggregate(t *testing.T) {
	t.Parallel()
	crit := func(w Word) ProbeReport { return ProbeReport{Name: "c" + string(w), Level: Critical, Word: w} }
	adv := func(w Word) ProbeReport { return ProbeReport{Name: "a" + string(w), Level: Advisory, Word: w} }
	probes := func(p ...ProbeReport) []ProbeReport { return p }
	regs := func(ls ...Lifecycle) (r []Registration) {
		for _, l := range ls {
			r = append(r, Registration{State: l})
		}
		return r
	}
	for _, c := range []struct {
		name       string
		probes     []ProbeReport
		regs       []Registration
		idle, left bool
		status     Status
		ready, fit bool
	}{
		{"nothing to probe", nil, nil, false, false, StatusOK, true, true},
		{"nothing to probe, not started", nil, nil, true, false, StatusStarting, false, true},
		{"all ok", probes(crit(WordOK), adv(WordOK)), nil, false, false, StatusOK, true, true},
		{"disabled counts for nothing", probes(crit(WordDisabled)), nil, false, false, StatusOK, true, true},
		{"critical unknown", probes(crit(WordUnknown)), nil, false, false, StatusStarting, false, false},
		{"failing outweighs unknown", probes(crit(WordUnknown), crit(WordFailing)), nil, false, false, StatusFailing, false, false},
		{"failing", probes(crit(WordFailing)), nil, false, false, StatusFailing, false, false},
		{"timeout", probes(crit(WordTimeout)), nil, false, false, StatusFailing, false, false},
		{"panic", probes(crit(WordPanic)), nil, false, false, StatusFailing, false, false},
		{"stale", probes(crit(WordStale)), nil, false, false, StatusFailing, false, false},
		{"critical degraded", probes(crit(WordDegraded)), nil, false, false, StatusDegraded, true, true},
		{"advisory failing", probes(crit(WordOK), adv(WordFailing)), nil, false, false, StatusDegraded, true, true},
		{"advisory stale", probes(adv(WordStale)), nil, false, false, StatusDegraded, true, true},
		{"advisory unknown", probes(crit(WordOK), adv(WordUnknown)), nil, false, false, StatusDegraded, true, true},
		{"starting outweighs degraded", probes(crit(WordUnknown), adv(WordFailing)), nil, false, false, StatusStarting, false, false},

		{"waiting is ready: the registry may be away", probes(crit(WordOK)), regs(Waiting), false, false, StatusOK, true, true},
		{"withdrawn and well again", probes(crit(WordOK)), regs(Withdrawn), false, false, StatusOK, true, true},
		{"serving while failing, until the gate has withdrawn", probes(crit(WordFailing)), regs(Serving), false, false, StatusFailing, false, false},
		{"withdrawn", probes(crit(WordFailing)), regs(Withdrawn), false, false, StatusFailing, false, false},
		{"held", probes(crit(WordFailing)), regs(Held), false, false, StatusDegraded, true, false},
		{"held, not yet published again", probes(crit(WordOK)), regs(Held), false, false, StatusOK, true, true},
		{"one of two held", probes(crit(WordFailing)), regs(Withdrawn, Held), false, false, StatusDegraded, true, false},
		{"one held, one draining", probes(crit(WordFailing)), regs(Held, Draining), false, false, StatusDegraded, true, false},
		{"held with an unknown probe", probes(crit(WordUnknown)), regs(Held), false, false, StatusDegraded, true, false},
		{"nobody knows: stale outweighs held", probes(crit(WordStale)), regs(Held), false, false, StatusFailing, false, false},

		{"draining", probes(crit(WordOK)), regs(Draining), false, false, StatusDraining, false, true},
		{"draining outweighs failing", probes(crit(WordFailing)), regs(Draining), false, false, StatusDraining, false, false},
		{"offline", probes(crit(WordOK)), regs(Offline), false, false, StatusDraining, false, true},
		{"gone", probes(crit(WordOK)), regs(Gone), false, false, StatusDraining, false, true},
		{"all leave", probes(crit(WordOK)), regs(Draining, Gone, Offline), false, false, StatusDraining, false, true},
		{"one still serves", probes(crit(WordOK)), regs(Draining, Serving), false, false, StatusOK, true, true},
		{"one still waits", probes(crit(WordOK)), regs(Waiting, Gone), false, false, StatusOK, true, true},
		{"left and detached", probes(crit(WordOK)), nil, false, true, StatusDraining, false, true},
		{"one left, one serves", probes(crit(WordOK)), regs(Serving), false, true, StatusOK, true, true},
		{"draining before start", nil, regs(Draining), true, false, StatusDraining, false, true},
	} {
		s, ready, fit, started := aggregate(facts{probes: c.probes, registrations: c.regs, running: !c.idle, left: c.left})
		if s != c.status || ready != c.ready || fit != c.fit {
			t.Errorf("%s: %v ready=%v fit=%v, want %v ready=%v fit=%v", c.name, s, ready, fit, c.status, c.ready, c.fit)
		}
		if want := !c.idle && c.fit; started != want {
			t.Errorf("%s: started = %v, want %v", c.name, started, want)
		}
		if _, _, _, again := aggregate(facts{probes: c.probes, running: !c.idle, started: true}); !again {
			t.Errorf("%s: the latch of started opened", c.name)
		}
	}
}
