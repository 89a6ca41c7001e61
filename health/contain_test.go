package health

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestHungProbeHoldsOneGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		free := sync.OnceFunc(func() { close(release) })
		defer free()
		var calls, inside, most atomic.Int64
		m := start(t,
			steady("hung", func(context.Context) error {
				calls.Add(1)
				most.Store(max(most.Load(), inside.Add(1)))
				defer inside.Add(-1)
				<-release
				return nil
			}),
			steady("well", pass))
		for i := range 1000 {
			after(5 * time.Second)
			if i%100 != 99 {
				continue
			}
			if n := goroutinesIn("health.(*Monitor).check"); n != 1 {
				t.Fatalf("%d goroutines in checks after %d intervals, want the hung one", n, i+1)
			}
		}
		if n := calls.Load(); n != 1 {
			t.Fatalf("the hung check was started %d times", n)
		}
		r := m.Report()
		if p := r.Probe("hung"); p.Word != WordTimeout || p.Failures < 999 || p.Failures != p.Runs || p.Class != ClassTimeout {
			t.Errorf("hung: %+v", p)
		}
		if p := r.Probe("well"); p.Word != WordOK || p.Runs < 1000 {
			t.Errorf("well: %+v", p)
		}
		free()
		after(5 * time.Second)
		if most.Load() != 1 {
			t.Errorf("%d at a time", most.Load())
		}
		if n := calls.Load(); n < 2 {
			t.Errorf("not started again after it had returned")
		}
		wantWord(t, m, "hung", WordOK)
	})
}

// goroutinesIn counts the goroutines that have a function on their stacks.
func goroutinesIn(function string) (n int) {
	buf := make([]byte, 1<<20)
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, function+"(") {
			n++
		}
	}
	return n
}

func TestLateResultIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		p := steady("db", func(context.Context) error {
			if calls.Add(1) == 1 {
				time.Sleep(3 * time.Second) // past its deadline, deaf to its context, and then well
				return nil
			}
			return errors.New("no")
		})
		m := start(t, p)
		after(time.Second)
		wantWord(t, m, "db", WordTimeout)
		after(3 * time.Second)
		wantWord(t, m, "db", WordTimeout) // the late nil turned nothing
		after(time.Second)
		wantWord(t, m, "db", WordFailing)
	})
}

func TestReturnAtTheDeadlineIsATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{time.Second, time.Second + 1} {
			m := start(t, steady("db", func(context.Context) error { time.Sleep(d); return nil }))
			after(2 * time.Second)
			wantWord(t, m, "db", WordTimeout)
			m.Close()
		}
		m := start(t, steady("db", func(context.Context) error { time.Sleep(time.Second - 1); return nil }))
		after(2 * time.Second)
		wantWord(t, m, "db", WordOK)
	})
}

func TestContextHasTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left atomic.Int64
		m := start(t, steady("db", func(ctx context.Context) error {
			if at, ok := ctx.Deadline(); ok {
				left.Store(int64(time.Until(at)))
			}
			<-ctx.Done()
			return ctx.Err()
		}))
		after(time.Second)
		if left.Load() != int64(time.Second) {
			t.Errorf("deadline in %v", time.Duration(left.Load()))
		}
		wantWord(t, m, "db", WordTimeout)
		if p := m.Report().Probes[0]; p.Latency != time.Second {
			t.Errorf("latency %v", p.Latency)
		}
	})
}

// A check that hangs for a while is one failure for each interval, not one for the hang and one for the next interval.
func TestOneHangIsNotCountedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hang atomic.Bool
		m := start(t, steady("db", func(context.Context) error {
			if hang.Load() {
				time.Sleep(1500 * time.Millisecond)
			}
			return nil
		}))
		after(time.Second)
		hang.Store(true)
		after(4*time.Second + 1400*time.Millisecond) // begun at 5 s, given up at 6 s, next run due at 6.25 s while it hangs
		hang.Store(false)
		after(100 * time.Millisecond) // it returns, and the run that has been waiting starts
		p := m.Report().Probes[0]
		if p.Failures != 1 || p.State != StateOK || p.Runs != 3 {
			t.Errorf("%+v", p)
		}
	})
}

type badError struct{}

func (badError) Error() string { panic("s3cret in Error") }

func TestPanicsAndExits(t *testing.T) {
	for name, check := range map[string]func(context.Context) error{
		"panic":       func(context.Context) error { panic("s3cret") },
		"nil panic":   func(context.Context) error { panic(nil) },
		"goexit":      func(context.Context) error { runtime.Goexit(); return nil },
		"error panic": func(context.Context) error { return badError{} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log lockedBuffer
				m, err := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, steady("db", check))
				if err != nil {
					t.Fatal(err)
				}
				m.Start()
				defer m.Close()
				after(11 * time.Second)
				p := m.Report().Probes[0]
				want := errPanicked
				if name == "goexit" {
					want = errExited
				}
				if p.Word != WordPanic || p.Runs != 3 || !errors.Is(p.Err, want) {
					t.Errorf("%+v", p)
				}
				if panics := strings.Contains(log.String(), "panic with a value of type"); panics != (name != "goexit") {
					t.Errorf("log: %s", log.String())
				}
				if s := log.String() + p.Err.Error(); strings.Contains(s, "s3cret") {
					t.Errorf("the panic's value is shown: %s", s)
				}
			})
		})
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestCloseWithAHungCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		m := start(t, steady("deaf", func(context.Context) error { <-release; return nil }))
		after(time.Minute)
		began := time.Now()
		m.Close()
		if took := time.Since(began); took != closeGrace {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestLoggerThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := New(Options{Logger: slog.New(panicHandler{})}, steady("db", pass))
		if err != nil {
			t.Fatal(err)
		}
		m.Start()
		defer m.Close()
		after(6 * time.Second)
		if p := m.Report().Probes[0]; p.Word != WordOK || p.Runs != 2 {
			t.Errorf("%+v", p)
		}
	})
}

type panicHandler struct{ slog.Handler }

func (panicHandler) Enabled(context.Context, slog.Level) bool { panic("logger") }

func TestLogSaysWhatChangedAndNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		var d dial
		d.set(errors.New("dial mysql root:hunter2@tcp(db:3306)/x: password=hunter2 refused"))
		m, err := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, steady("db", d.check))
		if err != nil {
			t.Fatal(err)
		}
		m.Start()
		defer m.Close()
		after(time.Minute)
		d.set(nil)
		after(time.Minute)
		s := log.String()
		if n := strings.Count(s, "\n"); n != 2 {
			t.Errorf("%d lines, want one for each change:\n%s", n, s)
		}
		for _, want := range []string{"probe=db", "from=unknown", "to=failing", "class=other", "refused", "tcp(db:3306)", "to=ok"} {
			if !strings.Contains(s, want) {
				t.Errorf("no %s in\n%s", want, s)
			}
		}
		if strings.Contains(s, "hunter2") {
			t.Errorf("a password in the log:\n%s", s)
		}
	})
}

func TestScrub(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"amqp://root:s3cret@mq refused", "root:s3cret@tcp(10.0.0.1:3306)/db", "host=db user=x password=s3cret dbname=y",
		`{"password": "s3cret"}`, "postgres://u:s3cret@h/db?sslmode=off", "redis://:s3cret@h:6379", "api_key=s3cret",
		"Authorization: Bearer s3cret", "access_token=s3cret&x=1", "root:a@s3cret@tcp(h)", "PASSWORD='s3cret'",
		"dial root:s/3cret@tcp(h) x", "pwd=s3cret;",
	} {
		got := scrub(s)
		if strings.Contains(got, "s3cret") || strings.Contains(got, "3cret") {
			t.Errorf("scrub(%q) = %q", s, got)
		}
	}
	for _, s := range []string{"dial tcp 10.0.0.1:6379: connect: connection refused", "Error 1146 (42S02): Table 'a.b' doesn't exist"} {
		if got := scrub(s); got != s {
			t.Errorf("scrub(%q) = %q", s, got)
		}
	}
	if got := scrub("a\nb\x00c" + strings.Repeat("x", 1000)); strings.ContainsAny(got, "\n\x00") || len(got) > 310 {
		t.Errorf("%q", got)
	}
}
