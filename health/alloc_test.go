package health

import (
	"context"
	"testing"
	"time"
)

// hung is a check that ignores its context until the test ends.
func hung(tb testing.TB) func(context.Context) error {
	release := make(chan struct{})
	tb.Cleanup(func() { close(release) })
	return func(context.Context) error { <-release; return nil }
}

// settled returns a running monitor of real probes that has its first verdicts.
func settled(tb testing.TB, probes ...Probe) *Monitor {
	m, err := New(quiet(), probes...)
	if err != nil {
		tb.Fatal(err)
	}
	m.Start()
	tb.Cleanup(func() { m.Close() })
	deadline := time.After(10 * time.Second)
	for {
		r, changed := m.Observe()
		unknown := false
		for _, p := range r.Probes {
			unknown = unknown || p.Word == WordUnknown
		}
		if !unknown {
			return m
		}
		select {
		case <-changed:
		case <-deadline:
			tb.Fatal("no verdict within 10 s")
		}
	}
}

func TestReportAllocatesNothing(t *testing.T) {
	m := settled(t, Probe{Name: "db", Check: pass, Interval: time.Hour},
		Probe{Name: "redis", Check: hung(t), Interval: time.Hour, Timeout: time.Millisecond})
	if n := testing.AllocsPerRun(1000, func() {
		if r := m.Report(); r.Status != StatusFailing {
			t.Error(r.Status)
		}
		m.Observe()
		m.Alive()
		m.Report().Probe("redis")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkReport(b *testing.B) {
	m := settled(b, Probe{Name: "db", Check: pass}, Probe{Name: "redis", Check: pass})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if !m.Report().Ready {
				b.Error("not ready")
			}
		}
	})
}
