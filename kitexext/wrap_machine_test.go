package kitexext

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestForeignNext(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		s    foreign
		want foreignCall
	}{
		{foreign{}, callNothing},
		{foreign{want: true}, callRegister},
		{foreign{want: true, have: listingDoubtful}, callRegister},
		{foreign{want: true, have: listingPresent}, callNothing},
		{foreign{want: true, have: listingPresent, stale: true}, callRegister},
		{foreign{have: listingDoubtful}, callDeregister},
		{foreign{have: listingPresent}, callDeregister},
		{foreign{have: listingPresent, stale: true}, callDeregister},
	} {
		if got := tt.s.next(); got != tt.want {
			t.Errorf("%+v: %v, want %v", tt.s, got, tt.want)
		}
	}
}

func TestForeignTransitions(t *testing.T) {
	t.Parallel()
	returned := func(c foreignCall, ok bool) func(foreign) foreign {
		return func(s foreign) foreign { s, _ = s.returned(c, ok); return s }
	}
	abandoned := func(c foreignCall) func(foreign) foreign {
		return func(s foreign) foreign { return s.abandoned(c) }
	}
	late := func(c foreignCall, ok bool) func(foreign) foreign {
		return func(s foreign) foreign { return s.late(c, ok) }
	}
	absent, doubtful, present := foreign{}, foreign{have: listingDoubtful}, foreign{have: listingPresent}
	stale := foreign{have: listingPresent, stale: true}
	for _, tt := range []struct {
		name string
		from foreign
		by   func(foreign) foreign
		want foreign
	}{
		{"registered", absent, returned(callRegister, true), present},
		{"registered again", stale, returned(callRegister, true), present},
		{"register failed", absent, returned(callRegister, false), doubtful},
		{"register failed while listed", stale, returned(callRegister, false), stale},
		{"deregistered", present, returned(callDeregister, true), absent},
		{"deregister failed", present, returned(callDeregister, false), stale},
		{"deregister failed of what was never known to be listed", doubtful, returned(callDeregister, false), absent},
		{"register hangs", absent, abandoned(callRegister), doubtful},
		{"register hangs while listed", stale, abandoned(callRegister), stale},
		{"deregister hangs", present, abandoned(callDeregister), absent},
		{"registered late", absent, late(callRegister, true), present},
		{"register failed late", absent, late(callRegister, false), doubtful},
		{"register failed late while listed", present, late(callRegister, false), present},
		{"deregistered late while listed", present, late(callDeregister, true), stale},
		{"deregister failed late", absent, late(callDeregister, false), stale},
		{"deregistered late", absent, late(callDeregister, true), absent},
	} {
		if got := tt.by(tt.from); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// Whatever the calls do, and however late, a registry that answers again ends up with what is wanted.
func FuzzForeignSettles(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var s foreign
		listed := false // what the registry really has
		var hanging []foreignCall
		var story []string
		effect := func(c foreignCall, ok bool) {
			// What failed may have had its effect all the same.
			if ok || rnd.IntN(2) == 0 {
				listed = c == callRegister
			}
		}
		wake := func() {
			n := rnd.IntN(len(hanging))
			c, ok := hanging[n], rnd.IntN(2) == 0
			hanging = append(hanging[:n], hanging[n+1:]...)
			effect(c, ok)
			s = s.late(c, ok)
			story = append(story, fmt.Sprintf("late %v %v: %+v", c, ok, s))
		}
		for range 30 {
			switch rnd.IntN(4) {
			case 0:
				s.want = !s.want
				story = append(story, fmt.Sprintf("want %v", s.want))
			case 1:
				if len(hanging) > 0 {
					wake()
				}
			default:
				c := s.next()
				if c == callNothing {
					continue
				}
				switch rnd.IntN(3) {
				case 0:
					ok := rnd.IntN(2) == 0
					if c == callDeregister && !ok && s.have == listingDoubtful {
						listed = false // assumed: nothing more can be done
					}
					effect(c, ok)
					s, _ = s.returned(c, ok)
					story = append(story, fmt.Sprintf("%v %v: %+v", c, ok, s))
				case 1:
					if c == callDeregister {
						listed = rnd.IntN(2) == 0 && listed // its effect comes early or late
					}
					hanging = append(hanging, c)
					s = s.abandoned(c)
					story = append(story, fmt.Sprintf("%v hangs: %+v", c, s))
				default:
					effect(c, true)
					s, _ = s.returned(c, true)
					story = append(story, fmt.Sprintf("%v: %+v", c, s))
				}
			}
		}
		for len(hanging) > 0 {
			wake()
		}
		for range 3 {
			if c := s.next(); c != callNothing {
				effect(c, true)
				s, _ = s.returned(c, true)
			}
		}
		if s.next() != callNothing || listed != s.want {
			t.Fatalf("listed %v in %+v after %q", listed, s, story)
		}
	})
}
