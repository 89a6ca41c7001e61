package health

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func quiet() Options { return Options{Logger: slog.New(slog.DiscardHandler)} }

// start returns a running monitor that ends with the test.
func start(t *testing.T, probes ...Probe) *Monitor {
	t.Helper()
	m, err := New(quiet(), probes...)
	if err != nil {
		t.Fatal(err)
	}
	m.Start()
	t.Cleanup(func() { m.Close() })
	return m
}

// steady has no jitter, so that a test can count.
func steady(name string, check func(context.Context) error) Probe {
	return Probe{Name: name, Check: check, Jitter: NoJitter}
}

// dial is a check whose answer can be turned.
type dial struct {
	err  atomic.Pointer[error]
	runs atomic.Int64
}

func (d *dial) set(err error) { d.err.Store(&err) }

func (d *dial) check(context.Context) error {
	d.runs.Add(1)
	if p := d.err.Load(); p != nil {
		return *p
	}
	return nil
}

// after lets time pass and everything settle.
func after(d time.Duration) {
	time.Sleep(d) // in a bubble
	synctest.Wait()
}

func word(m *Monitor, name string) Word { return m.Report().Probe(name).Word }

func wantWord(t *testing.T, m *Monitor, name string, want Word) {
	t.Helper()
	if got := word(m, name); got != want {
		t.Fatalf("%s reads %q, want %q", name, got, want)
	}
}

func TestNothingRunsBeforeStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d dial
		m, err := New(quiet(), steady("db", d.check))
		if err != nil {
			t.Fatal(err)
		}
		after(time.Hour)
		r := m.Report()
		if d.runs.Load() != 0 || r.Status != StatusStarting || r.Ready || r.Fit || r.Started || r.Probes[0].Word != WordUnknown {
			t.Fatalf("before Start: %d runs, %+v", d.runs.Load(), r)
		}
		m.Start()
		m.Start()
		after(0)
		if r = m.Report(); d.runs.Load() != 1 || r.Status != StatusOK || !r.Ready || !r.Fit || !r.Started {
			t.Fatalf("after Start: %d runs, %+v", d.runs.Load(), r)
		}
		m.Close()
	})
}

func TestThresholds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d dial
		p := steady("db", d.check)
		p.SuccessThreshold = 2
		m := start(t, p)
		after(0)
		wantWord(t, m, "db", WordUnknown)
		after(1250 * time.Millisecond) // a verdict is pending: a quarter of the interval
		wantWord(t, m, "db", WordOK)

		d.set(errors.New("boom"))
		after(5 * time.Second)
		wantWord(t, m, "db", WordOK)
		if r := m.Report(); r.Probes[0].State != StateSuspect || r.Probes[0].FailuresInRow != 1 || r.Probes[0].Class != ClassOther {
			t.Fatalf("after one failure: %+v", r.Probes[0])
		}
		after(1250 * time.Millisecond)
		wantWord(t, m, "db", WordOK)
		after(1250 * time.Millisecond)
		wantWord(t, m, "db", WordFailing)
		if r := m.Report(); r.Ready || r.Fit || r.Status != StatusFailing || !r.Started {
			t.Fatalf("after three failures: %+v", r)
		}

		d.set(nil)
		after(5 * time.Second)
		wantWord(t, m, "db", WordFailing)
		if s := m.Report().Probes[0].State; s != StateRecovering {
			t.Fatalf("after one pass: %v", s)
		}
		after(1250 * time.Millisecond)
		wantWord(t, m, "db", WordOK)
		if n := d.runs.Load(); n != 7 {
			t.Errorf("%d runs, want 7", n)
		}
	})
}

func TestFirstFailureFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, Probe{Name: "db", Check: func(context.Context) error { return errors.New("no") }, FailureThreshold: 100})
		after(0)
		wantWord(t, m, "db", WordFailing)
	})
}

func TestJitterShortensOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d dial
		m := start(t, Probe{Name: "db", Check: d.check, Jitter: 0.5})
		after(1000 * 5 * time.Second)
		m.Close()
		if n := d.runs.Load(); n < 1200 || n > 1500 { // 1/0.75 on average
			t.Errorf("%d runs in 1,000 intervals shortened by up to a half", n)
		}
	})
}

func TestInitialDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d dial
		m := start(t, Probe{Name: "db", Check: d.check, InitialDelay: time.Hour})
		after(time.Hour - 1)
		wantWord(t, m, "db", WordUnknown)
		after(1)
		wantWord(t, m, "db", WordOK)
	})
}

func TestDisabledNeverRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d dial
		m := start(t, Probe{Name: "db", Check: d.check, Disabled: true})
		after(time.Hour)
		wantWord(t, m, "db", WordDisabled)
		if r := m.Report(); d.runs.Load() != 0 || r.Status != StatusOK || !r.Fit {
			t.Errorf("%d runs, %+v", d.runs.Load(), r)
		}
	})
}

func TestDegradedPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d dial
		d.set(Degraded(errors.New("replica lags")))
		m := start(t, steady("db", d.check))
		after(0)
		wantWord(t, m, "db", WordDegraded)
		if r := m.Report(); !r.Ready || !r.Fit || r.Status != StatusDegraded || r.Probes[0].Failures != 0 {
			t.Errorf("%+v", r)
		}
		if Degraded(nil) != nil {
			t.Error("Degraded(nil) is not nil")
		}
	})
}

func TestAdd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, steady("m", pass))
		after(time.Second)
		_, changed := m.Observe()
		if err := m.Add(steady("a", pass)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		default:
			t.Error("adding a probe woke nobody")
		}
		after(0)
		wantWord(t, m, "a", WordOK)
		if err := m.Add(steady("a", pass)); err == nil {
			t.Error("a duplicate was added")
		}
		if err := m.Add(Probe{Name: "z"}); err == nil {
			t.Error("a nil check was added")
		}
		if r := m.Report(); len(r.Probes) != 2 || r.Probes[0].Name != "a" || r.Probe("z") != nil {
			t.Errorf("probes: %+v", r.Probes)
		}
		m.Close()
		if err := m.Add(steady("late", pass)); !errors.Is(err, ErrClosed) {
			t.Errorf("Add after Close: %v", err)
		}
	})
}

func TestPassingRunsAreSeenAndWakeNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, steady("db", func(context.Context) error { time.Sleep(7 * time.Millisecond); return nil }))
		after(time.Second)
		first, changed := m.Observe()
		after(10 * 5 * time.Second)
		select {
		case <-changed:
			t.Fatal("a passing run woke who observes")
		default:
		}
		last := m.Report()
		a, b := first.Probes[0], last.Probes[0]
		if b.Runs != a.Runs+10 || b.PassesInRow != b.Runs || !b.LastRun.After(a.LastRun) || b.Latency != 7*time.Millisecond || !b.Since.Equal(a.Since) {
			t.Errorf("first %+v\nlast %+v", a, b)
		}
		if first.Revision != last.Revision {
			t.Errorf("revision %d became %d", first.Revision, last.Revision)
		}
		if a.Runs != 1 {
			t.Errorf("the first report changed in the reader's hands: %+v", a)
		}
	})
}

func TestObserveMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d dial
		p := steady("db", d.check)
		p.FailureThreshold = 1
		m := start(t, p)
		var mu sync.Mutex
		var seen []Word
		stop := make(chan struct{})
		go func() {
			for {
				r, changed := m.Observe()
				mu.Lock()
				seen = append(seen, r.Probes[0].Word)
				mu.Unlock()
				select {
				case <-changed:
				case <-stop:
					return
				}
			}
		}()
		after(time.Second)
		d.set(errors.New("x"))
		after(5 * time.Second)
		d.set(context.DeadlineExceeded)
		after(5 * time.Second)
		d.set(nil)
		after(5 * time.Second)
		close(stop)
		mu.Lock()
		defer mu.Unlock()
		want := []Word{WordUnknown, WordOK, WordFailing, WordTimeout, WordOK}
		if seen[0] != WordUnknown { // the observer may have come after the first run
			want = want[1:]
		}
		if len(seen) != len(want) {
			t.Fatalf("seen %v, want %v", seen, want)
		}
		for i := range want {
			if seen[i] != want[i] {
				t.Fatalf("seen %v, want %v", seen, want)
			}
		}
	})
}

func TestCloseIsIdempotentAndBeforeStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := New(quiet(), steady("db", pass))
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		m.Start()
		after(time.Hour)
		if r := m.Report(); r.Status != StatusStarting {
			t.Errorf("Start after Close: %+v", r)
		}
	})
}

func TestCloseEndsChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := steady("db", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		m := start(t, p)
		after(time.Millisecond)
		began := time.Now()
		m.Close()
		if took := time.Since(began); took != 0 {
			t.Errorf("Close took %v with a check that honours its context", took)
		}
		wantWord(t, m, "db", WordUnknown) // a check that was called off has failed nothing
	})
}
