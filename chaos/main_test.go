package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-go/muster/chaos/internal/child"
	"github.com/muster-go/muster/chaos/internal/fault"
	"github.com/muster-go/muster/chaos/internal/rig"
	"github.com/muster-go/muster/internal/etcdtest"
)

// suiteVar makes this program the suite, with one scenario that waits for ever.
const suiteVar = "CHAOS_TEST_SUITE"

func TestMain(m *testing.M) {
	etcdtest.Main()
	child.Main()
	if os.Getenv(suiteVar) != "" {
		wait := rig.Scenario{Name: "wait", Fault: "none", Promise: "none", Each: 1, Run: func(ctx context.Context, _ *rig.World) error {
			fmt.Fprintln(os.Stdout, "running")
			<-ctx.Done()
			return nil
		}}
		rig.RunAll(context.Background(), []rig.Scenario{wait}, 1, 1, func(string, ...any) {})
		return
	}
	os.Exit(m.Run())
}

// one runs a scenario alone.
func one(t *testing.T, s rig.Scenario) rig.Row {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir()) // what is kept of a broken promise
	rows := rig.RunAll(t.Context(), []rig.Scenario{s}, 1, 1, t.Logf)
	rig.Table(io.Discard, rows)
	return rows[0]
}

func TestScenario(t *testing.T) {
	for _, s := range fault.All() {
		if s.Name != "lease-revoked" {
			continue
		}
		r := one(t, s)
		if !r.Kept() || r.Calls == 0 || r.Rate < 200 {
			t.Errorf("%+v", r)
		}
		return
	}
	t.Error("there is no such scenario")
}

func TestVerdict(t *testing.T) {
	kept, broken := rig.Row{}, rig.Row{Breaches: []string{"x"}}
	for name, tt := range map[string]struct {
		rows  []rig.Row
		took  time.Duration
		limit time.Duration
		code  int
	}{
		"kept":             {[]rig.Row{kept, kept}, time.Minute, suiteLimit, 0},
		"broken":           {[]rig.Row{kept, broken}, time.Minute, suiteLimit, 1},
		"too long":         {[]rig.Row{kept}, suiteLimit + time.Second, suiteLimit, 1},
		"long, and may be": {[]rig.Row{kept}, time.Hour, 0, 0},
	} {
		if line, code := verdict(tt.rows, tt.took, tt.limit); code != tt.code {
			t.Errorf("%s: exits with %d: %s", name, code, line)
		}
	}
}

// TestBrokenPromiseIsSeen: a suite that finds nothing has to be able to find something.
func TestBrokenPromiseIsSeen(t *testing.T) {
	r := one(t, rig.Scenario{
		Name: "broken", Fault: "a ghost and a stray lease by hand, all of a service stopped", Promise: "none", Each: 1,
		Run: func(ctx context.Context, w *rig.World) error {
			cli := w.Observer.Client()
			if _, err := cli.Grant(ctx, 60); err != nil {
				return err
			}
			if _, err := cli.Put(ctx, rig.ServingKey("svc-c", "10.0.0.1:80"), "{}"); err != nil {
				return err
			}
			if err := w.Of(rig.ServiceA)[0].Term(ctx); err != nil {
				return err
			}
			return w.Flowing(ctx)
		},
	})
	if r.Kept() || r.Ghosts != 1 || r.Leases != 1 || r.Failed == 0 {
		t.Errorf("%+v", r)
	}
	for file, want := range map[string]string{"caller.log": "", "a-1.log": "draining", "calls.txt": "FAILED: ", "keys.txt": "the process is asked to end"} {
		if b, err := os.ReadFile(filepath.Join(r.Logs, file)); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: %v\n%s", file, err, b[:min(len(b), 2000)])
		}
	}
}

// TestOrphanLeaseIsSeen leaves a lease behind that has run out by the end of the scenario.
func TestOrphanLeaseIsSeen(t *testing.T) {
	r := one(t, rig.Scenario{
		Name: "orphan", Fault: "a stray lease by hand, for less than a scenario takes", Promise: "none", Each: 1,
		Run: func(ctx context.Context, w *rig.World) error {
			cli := w.Observer.Client()
			lease, err := cli.Grant(ctx, 2)
			if err != nil {
				return err
			}
			if err := w.Steady(ctx); err != nil {
				return err
			}
			for {
				left, err := cli.TimeToLive(ctx, lease.ID)
				if err != nil || left.TTL < 0 {
					return err
				}
			}
		},
	})
	if len(r.Breaches) != 1 || r.Leases != 0 || r.Failed != 0 {
		t.Errorf("%+v", r)
	}
}

// TestStaleCallerIsSeen cuts the caller off, which goes on picking an instance that has ended: Kitex is refused there, and
// another answers.
func TestStaleCallerIsSeen(t *testing.T) {
	r := one(t, rig.Scenario{
		Name: "stale", Fault: "the caller cut off for good", Promise: "none", Each: 2, Proxied: true,
		Run: func(ctx context.Context, w *rig.World) error {
			w.Lane("caller").Cut()
			left := w.Of(rig.ServiceA)[0]
			if err := left.Term(ctx); err != nil {
				return err
			}
			mark := w.Ledger.Mark()
			for w.Ledger.Picked(mark, left.Addr, time.Time{}) < 50 && ctx.Err() == nil {
				if err := w.Flowing(ctx); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if r.Kept() || r.Stray < 50 || r.Failed != 0 {
		t.Errorf("%+v", r)
	}
}

// TestGoroutinesAreSeen pretends that each process had one less before.
func TestGoroutinesAreSeen(t *testing.T) {
	r := one(t, rig.Scenario{
		Name: "goroutines", Fault: "none", Promise: "none", Each: 1,
		Run: func(ctx context.Context, w *rig.World) error {
			before, err := w.Goroutines(ctx)
			for p, had := range before {
				if had.Total() == 0 {
					return fmt.Errorf("%s has no goroutines", p.Name)
				}
				for stack := range had {
					had[stack]--
					break
				}
			}
			if err != nil {
				return err
			}
			return w.NoMoreGoroutines(ctx, before)
		},
	})
	if len(r.Breaches) != 3 {
		t.Errorf("%+v", r)
	}
}

// TestNothingOutlivesTheSuite kills a suite that runs and looks for what it started.
func TestNothingOutlivesTheSuite(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), suiteVar+"=1", "TMPDIR="+t.TempDir()) // it won't tidy up
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if _, err := io.ReadFull(out, make([]byte, len("running\n"))); err != nil {
		t.Fatal(err)
	}
	children := childrenOf(t, cmd.Process.Pid)
	if len(children) < 6 { // three nodes, two instances, the caller
		t.Fatalf("the suite has started %v only", children)
	}
	_ = syscall.Kill(children[0], syscall.SIGSTOP) // a frozen one must go, too
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for {
		left := 0
		for _, pid := range children {
			if alive(pid) {
				left++
			}
		}
		if left == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%d of %v are still there", left, children)
		}
	}
}

// childrenOf returns the processes whose parent a process is, by any of its threads.
func childrenOf(t *testing.T, pid int) (all []int) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Skip("this system has no /proc: ", err)
	}
	for _, task := range tasks {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		for _, f := range strings.Fields(string(b)) {
			var n int
			if _, err := fmt.Sscan(f, &n); err == nil {
				all = append(all, n)
			}
		}
	}
	return all
}

// alive reports whether a process runs; one that has ended and was not waited for does not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
