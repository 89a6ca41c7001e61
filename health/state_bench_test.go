package health

import "testing"

// cycle goes once through every state that runs lead to.
var cycle = []event{passed, failed, failed, failed, passed, passed, timedOut, passed, wentStale, passed}

func TestNextAllocatesNothing(t *testing.T) {
	v, th := unknownVerdict(), thresholds{failure: 3, success: 2}
	if n := testing.AllocsPerRun(1000, func() {
		for _, e := range cycle {
			v = next(v, e, th)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkNext(b *testing.B) {
	v, th, i := unknownVerdict(), thresholds{failure: 3, success: 2}, 0
	b.ReportAllocs()
	for b.Loop() {
		v = next(v, cycle[i%len(cycle)], th)
		i++
	}
}
