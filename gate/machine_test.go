package gate

import (
	"testing"

	"github.com/muster-go/muster/health"
)

// step is one edge of the machine.
type step struct {
	from state
	e    event // the last one
	to   state
	a    action
	// answered says that the action in progress has got its result.
	answered bool
	// single says that e was the only one.
	single bool
}

// explore returns every state that can be reached, and calls visit for every step between them.
func explore(t *testing.T, visit func(step)) map[state]struct{} {
	t.Helper()
	first := state{told: true}
	seen := map[state]struct{}{first: {}}
	todo := []state{first}
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for e := range events {
			to, a := next(s, e)
			visit(step{s, e, to, a, s.doing.ends(e), true})
			if _, ok := seen[to]; !ok {
				seen[to] = struct{}{}
				todo = append(todo, to)
			}
		}
	}
	return seen
}

// verdict is what was settled between the instance and the floor.
func (s state) verdict() state {
	return state{kept: s.kept, mark: s.mark, calm: s.calm, due: s.due, once: s.once}
}

// check fails the test for a step that breaks a rule.
func check(t *testing.T, s step) {
	t.Helper()
	bad := func(rule string) {
		t.Helper()
		t.Fatalf("%s:\n%+v\n-- %d -->\n%+v, %v", rule, s.from, s.e, s.to, s.a)
	}
	from, to := s.from.life, s.to.life
	switch {
	case from == health.Draining && to != health.Draining && to != health.Gone:
		bad("draining is one-way")
	case from == health.Gone && (s.to != s.from || s.a != idle):
		bad("gone is the end")
	case to == health.Gone && from != health.Gone && s.a != stop:
		bad("it has gone without stopping")
	case s.from.doing != idle && !s.answered && s.a != idle:
		bad("two actions at once")
	case s.a != idle && s.to.doing != s.a:
		bad("an action that is not remembered")
	case s.to.leaving() && s.a != idle && s.a != leave && s.a != linger && s.a != stop:
		bad("it leaves and does something else")
	case s.to.offline && !s.to.leaving() && to != health.Offline:
		bad("an operator's order shows above all else")
	case s.single && s.from.fit == (s.e == evFit) && s.e <= evUnfit && s.to.verdict() != s.from.verdict():
		bad("what is known already changes something")
	case s.a == linger && s.from.waited, s.a == leave && s.from.left:
		bad("twice")
	case s.to.blocked && s.a != idle && s.a != leave && s.a != linger && s.a != stop:
		bad("it asks while it has to wait")
	case (to == health.Held || to == health.Withdrawn) && !s.to.once:
		bad("it has never been fit")
	}
	switch s.a {
	case publish:
		if !s.to.fit || s.to.offline || !s.to.joined {
			bad("listed plainly, and not fit for it")
		}
	case publishDegraded:
		if s.to.fit || !s.to.once || s.to.offline || !s.to.joined {
			bad("listed as degraded, and not to be")
		}
	case withdraw:
		if s.to.fit || s.to.offline || s.to.listed == unlisted {
			bad("withdrawn for nothing")
		}
	case census:
		if !s.to.looks() || !s.to.told {
			bad("only the unfit look, and only once the roster says that they are")
		}
	case join:
		if s.to.joined {
			bad("joined twice")
		}
	}
	if !s.to.joined && s.to.listed != unlisted {
		bad("listed without a membership")
	}
}

// TestEveryStep checks the rules on every state that can be reached and every event in it.
func TestEveryStep(t *testing.T) {
	t.Parallel()
	steps := 0
	states := explore(t, func(s step) { steps++; check(t, s) })
	t.Logf("%d states, %d steps", len(states), steps)
}

// drive feeds results, as a registry that answers would, until nothing more is done.
func drive(t *testing.T, s state, answer func(action) event) state {
	t.Helper()
	for range 20 {
		if s.doing == idle || s.life == health.Gone {
			return s
		}
		s, _ = next(s, answer(s.doing))
	}
	t.Fatalf("%+v does not settle", s)
	return s
}

// good is the answer of a registry that does what it is asked, with room below the floor.
func good(a action) event {
	return map[action]event{
		join: evJoined, publish: evPublished, publishDegraded: evPublished, withdraw: evWithdrawn, remove: evWithdrawn,
		annotate: evAnnotated, census: evPermits, leave: evLeft, linger: evLingered,
	}[a]
}

// TestEveryStateSettles has a registry come back that answers, from whatever state: then the facts alone decide where the
// instance ends.
func TestEveryStateSettles(t *testing.T) {
	t.Parallel()
	for s := range explore(t, func(step) {}) {
		if s.leaving() {
			if got := drive(t, s, good); got.life != health.Gone {
				t.Fatalf("%+v ends as %+v", s, got)
			}
			continue
		}
		for _, c := range []struct {
			e1, e2 event
			want   health.Lifecycle
			listed listing
		}{
			{evFit, evOnline, health.Serving, plain},
			{evFit, evOffline, health.Offline, unlisted},
			{evUnfit, evOffline, health.Offline, unlisted},
		} {
			s := drive(t, s, good)
			s, _ = next(s, evRetry)
			s = drive(t, s, good)
			s, _ = next(s, c.e1, c.e2)
			s = drive(t, s, good)
			if s.life != c.want || s.listed != c.listed || !s.told {
				t.Fatalf("ends as %+v, want %v", s, c.want)
			}
		}
	}
}

// TestUnfitWithRoomBelowTheFloorEndsWithdrawn looks as often as it takes.
func TestUnfitWithRoomBelowTheFloorEndsWithdrawn(t *testing.T) {
	t.Parallel()
	for s := range explore(t, func(step) {}) {
		if s.leaving() || !s.once {
			continue
		}
		s = drive(t, s, good)
		s, _ = next(s, evRetry, evUnfit, evOnline)
		s = drive(t, s, good)
		for range calmLooks {
			s, _ = next(s, evLook)
			s = drive(t, s, good)
		}
		if s.life != health.Withdrawn || s.listed != unlisted {
			t.Fatalf("ends as %+v", s)
		}
	}
}

// TestUnfitBelowTheFloorEndsHeld has the floor refuse.
func TestUnfitBelowTheFloorEndsHeld(t *testing.T) {
	t.Parallel()
	full := func(a action) event {
		switch a {
		case withdraw:
			return evHeld
		case census:
			return evOpens
		}
		return good(a)
	}
	for s := range explore(t, func(step) {}) {
		if s.leaving() || !s.once {
			continue
		}
		s = drive(t, s, full)
		s, _ = next(s, evRetry, evUnfit, evOnline)
		s = drive(t, s, full)
		s, _ = next(s, evLook)
		s = drive(t, s, full)
		if s.life != health.Held || s.listed != degraded || !s.kept {
			t.Fatalf("ends as %+v", s)
		}
	}
}

// TestStory tells the usual cases event by event.
func TestStory(t *testing.T) {
	t.Parallel()
	type line struct {
		e    event
		a    action
		life health.Lifecycle
	}
	const (
		waiting, serving, withdrawn, held = health.Waiting, health.Serving, health.Withdrawn, health.Held
		offline, draining, gone           = health.Offline, health.Draining, health.Gone
	)
	begin := []line{{evUnfit, join, waiting}, {evJoined, idle, waiting}}
	served := append(begin, line{evFit, publish, waiting}, line{evPublished, idle, serving})
	for name, story := range map[string][]line{
		"fit before the registry answers": {
			{evFit, join, waiting},
			{evFailed, idle, waiting},
			{evRetry, join, waiting},
			{evJoined, publish, waiting},
			{evPublished, idle, serving},
		},
		"never fit":              append(begin, line{evLook, idle, waiting}, line{evStatus, annotate, waiting}, line{evAnnotated, idle, waiting}),
		"deregistered at once":   append(begin, line{evDrain, leave, draining}, line{evLeft, stop, gone}),
		"deregistered unjoined":  {{evUnfit, join, waiting}, {evDrain, idle, draining}, {evFailed, stop, gone}},
		"joined while it drains": {{evUnfit, join, waiting}, {evDrain, idle, draining}, {evJoined, leave, draining}, {evLeft, stop, gone}},
		"drain":                  append(served, line{evDrain, leave, draining}, line{evFit, idle, draining}, line{evLeft, linger, draining}, line{evLingered, stop, gone}),
		"unanswered leave":       append(served, line{evDrain, leave, draining}, line{evFailed, linger, draining}, line{evLingered, stop, gone}),
		"unfit and back":         append(served, line{evUnfit, withdraw, serving}, line{evWithdrawn, idle, withdrawn}, line{evFit, publish, withdrawn}, line{evPublished, idle, serving}),
		"held, marked, let go": append(served, line{evUnfit, withdraw, serving}, line{evHeld, idle, held}, line{evLook, census, held},
			line{evOpens, publishDegraded, held}, line{evPublished, idle, held}, line{evLook, census, held}, line{evPermits, idle, held},
			line{evLook, census, held}, line{evPermits, idle, held}, line{evLook, census, held}, line{evPermits, withdraw, held},
			line{evWithdrawn, idle, withdrawn}),
		"opened again": append(served, line{evUnfit, withdraw, serving}, line{evWithdrawn, idle, withdrawn}, line{evLook, census, withdrawn},
			line{evOpens, publishDegraded, withdrawn}, line{evPublished, idle, held}, line{evFit, publish, held}, line{evPublished, idle, serving}),
		"calm must be in a row": append(served, line{evUnfit, withdraw, serving}, line{evHeld, idle, held}, line{evLook, census, held},
			line{evPermits, idle, held}, line{evLook, census, held}, line{evPermits, idle, held}, line{evLook, census, held},
			line{evStays, publishDegraded, held}, line{evPublished, idle, held}, line{evLook, census, held}, line{evPermits, idle, held}),
		"offline and back": append(served, line{evOffline, remove, offline}, line{evUnfit, idle, offline}, line{evWithdrawn, idle, offline}, line{evFit, idle, offline}, line{evOnline, publish, withdrawn}),
		"online and unfit": append(served, line{evOffline, remove, offline}, line{evWithdrawn, idle, offline}, line{evUnfit, idle, offline}, line{evOnline, idle, withdrawn}),
		"lost":             append(served, line{evLost, join, waiting}, line{evJoined, publish, waiting}),
		"lost again":       append(served, line{evLostAgain, idle, waiting}, line{evRetry, join, waiting}),
		"lost while unfit": append(served, line{evUnfit, withdraw, serving}, line{evHeld, idle, held}, line{evLost, join, waiting}, line{evJoined, idle, withdrawn}, line{evLook, census, withdrawn}),
		"held after a lost answer": append(served, line{evUnfit, withdraw, serving}, line{evFailed, idle, serving}, line{evRetry, withdraw, serving},
			line{evHeld, publishDegraded, held}, line{evPublished, idle, held}),
		"fit while withdrawing": append(served, line{evUnfit, withdraw, serving}, line{evFit, idle, serving}, line{evWithdrawn, publish, withdrawn}),
		"held just as it was fit again": append(served, line{evUnfit, withdraw, serving}, line{evFit, idle, serving},
			line{evHeld, idle, serving}),
		"the answer of a publication is lost": append(begin, line{evFit, publish, waiting}, line{evFailed, idle, waiting}, line{evUnfit, idle, waiting},
			line{evRetry, withdraw, waiting}, line{evWithdrawn, idle, withdrawn}),
	} {
		s := state{told: true}
		for i, l := range story {
			var a action
			if s, a = next(s, l.e); a != l.a || s.life != l.life {
				t.Errorf("%s: step %d: %v, %v; want %v, %v", name, i, a, s.life, l.a, l.life)
				break
			}
		}
	}
}

// FuzzNext feeds events several at a time, as the owner does.
func FuzzNext(f *testing.F) {
	f.Add([]byte{0, 2, 11, 1, 12, 10, 18})
	f.Add([]byte{0x81, 11, 0x80, 2, 3, 9, 20})
	f.Fuzz(func(t *testing.T, in []byte) {
		s := state{told: true}
		for i := 0; i < len(in); {
			n := min(1+int(in[i]>>6), len(in)-i)
			var all []event
			answered := false
			for _, b := range in[i : i+n] {
				e := event(int(b&0x3f) % int(events))
				all = append(all, e)
				answered = answered || s.doing.ends(e)
			}
			i += n
			to, a := next(s, all...)
			check(t, step{s, all[len(all)-1], to, a, answered, false})
			s = to
		}
		s, _ = next(s, evDrain)
		if s = drive(t, s, good); s.life != health.Gone {
			t.Fatalf("ends as %+v", s)
		}
	})
}
