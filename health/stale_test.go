package health

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

const defaultStale = 3*DefaultInterval + DefaultTimeout

func TestADeadSchedulerLeavesNoGreenAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, steady("db", pass), Probe{Name: "off", Check: pass, Disabled: true})
		after(time.Second)
		m.Close() // the last run ended a second ago
		r, changed := m.Observe()
		after(defaultStale - time.Second - 1)
		if got := m.Report(); got != r {
			t.Fatalf("the report changed early: %+v", got)
		}
		after(1)
		got := m.Report()
		if p := got.Probe("db"); p.Word != WordStale || p.State != StateStale || !p.Since.Equal(p.LastRun.Add(defaultStale)) {
			t.Errorf("%+v", p)
		}
		if got.Ready || got.Fit || got.Status != StatusFailing || !got.Started || got.Revision != r.Revision+1 {
			t.Errorf("%+v", got)
		}
		select {
		case <-changed:
		default:
			t.Error("who observed was not woken")
		}
		if r.Probe("db").Word != WordOK {
			t.Error("the old report changed in the reader's hands")
		}
		if m.Report() != got {
			t.Error("a new report for each reader")
		}
		if got.Probe("off").Word != WordDisabled {
			t.Error("a disabled probe went stale")
		}
	})
}

func TestStalenessWakesWhoObserves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, steady("db", pass))
		after(time.Second)
		_, changed := m.Observe()
		// Break the schedule, as no input can: the next run never comes.
		m.mu.Lock()
		m.tasks[0].due = never
		m.mu.Unlock()
		m.wake()
		began := time.Now()
		<-changed // by the scheduler: nobody reads
		if took := time.Since(began); took != defaultStale-time.Second {
			t.Errorf("woken after %v", took)
		}
		wantWord(t, m, "db", WordStale)

		m.mu.Lock()
		m.tasks[0].due = m.now()
		m.mu.Unlock()
		m.wake()
		after(0)
		wantWord(t, m, "db", WordOK)
	})
}

// A probe whose very first run never ends anything because the scheduler is stuck reads as stale, too.
func TestAWedgedScheduler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := &stuckHandler{release: release}
		m, err := New(Options{Logger: slog.New(h)},
			steady("deaf", func(ctx context.Context) error { <-ctx.Done(); <-release; return nil }),
			steady("well", pass), Probe{Name: "late", Check: pass, InitialDelay: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		m.Start()
		after(time.Second) // the timeout is logged by the scheduler, which hangs there
		if !m.Alive() {
			t.Fatal("dead at once")
		}
		after(12 * time.Second)
		if m.Alive() {
			t.Error("a wedged scheduler is alive")
		}
		after(time.Minute + defaultStale)
		for _, name := range []string{"deaf", "well", "late"} {
			wantWord(t, m, name, WordStale)
		}
		close(release)
		after(5 * time.Second)
		if !m.Alive() {
			t.Error("dead after it went on")
		}
		wantWord(t, m, "well", WordOK)
		wantWord(t, m, "late", WordOK)
		m.Close()
		if !m.Alive() {
			t.Error("dead after Close")
		}
	})
}

// After a freeze the run that was open is given up late. What went stale before that must not read as ok again because the
// failure is only the first.
func TestStaleBeforeTheResult(t *testing.T) {
	t.Parallel()
	p, err := steady("db", pass).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	epoch := time.Now()
	k := newTask(p)
	k.schedule(0)
	k.begin(0)
	k.end(result{event: passed}, 0, epoch)
	k.begin(5 * time.Second)
	k.end(result{event: timedOut}, time.Hour, epoch)
	if k.report.Word != WordTimeout || k.report.State != StateFailing || k.due != time.Hour {
		t.Errorf("%+v, due %v", k.report, k.due)
	}
}

// stuckHandler blocks at the first warning.
type stuckHandler struct{ release chan struct{} }

func (h *stuckHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (h *stuckHandler) Handle(context.Context, slog.Record) error    { <-h.release; return nil }
func (h *stuckHandler) WithAttrs([]slog.Attr) slog.Handler           { return h }
func (h *stuckHandler) WithGroup(string) slog.Handler                { return h }
