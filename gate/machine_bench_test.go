package gate

import "testing"

// day is what an instance lives through: it joins, serves, is withdrawn, serves again.
var day = []event{evFit, evJoined, evPublished, evUnfit, evWithdrawn, evFit, evPublished, evLost}

func TestNextAllocatesNothing(t *testing.T) {
	s := state{told: true}
	if n := testing.AllocsPerRun(1000, func() {
		for _, e := range day {
			s, _ = next(s, e)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if !s.served {
		t.Error("it has never served: the events lead nowhere")
	}
}

func BenchmarkNext(b *testing.B) {
	s, i := state{told: true}, 0
	b.ReportAllocs()
	for b.Loop() {
		s, _ = next(s, day[i%len(day)])
		i++
	}
}
