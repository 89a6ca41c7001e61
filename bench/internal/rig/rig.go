// Package rig runs what the bench measures in processes of their own: etcd nodes, and this program again as a child.
package rig

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/muster-go/muster/internal/etcdtest"
)

// Rig starts processes and ends them with itself. One thread starts them all and lives as long as the rig does: on Linux a
// child is killed with the thread that started it, so that whatever happens to the bench, nothing stays behind.
type Rig struct {
	dir  string
	jobs chan func()
	quit chan struct{}
	ends []func()
	n    int
}

// New returns a rig whose nodes keep their data below a folder of its own.
func New() (*Rig, error) {
	dir, err := os.MkdirTemp("", "muster-bench-")
	if err != nil {
		return nil, err
	}
	r := &Rig{dir: dir, jobs: make(chan func()), quit: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for {
			select {
			case job := <-r.jobs:
				job()
			case <-r.quit:
				return
			}
		}
	}()
	return r, nil
}

// Close ends every process. It is called by the goroutine that starts them.
func (r *Rig) Close() {
	for i := len(r.ends) - 1; i >= 0; i-- {
		r.ends[i]()
	}
	close(r.quit)
	_ = os.RemoveAll(r.dir)
}

// Defer has f called by Close, before what was deferred or started earlier ends.
func (r *Rig) Defer(f func()) { r.ends = append(r.ends, f) }

func (r *Rig) on(job func() error) error {
	done := make(chan error, 1)
	r.jobs <- func() { done <- job() }
	return <-done
}

// Node is an etcd server in a process of its own.
type Node struct {
	*etcdtest.Process
	r *Rig
}

// Etcd starts a node.
func (r *Rig) Etcd() (*Node, error) {
	ports, err := etcdtest.FreePorts(2)
	if err != nil {
		return nil, err
	}
	r.n++
	n := &Node{etcdtest.NewProcess(etcdtest.Options{
		Dir: filepath.Join(r.dir, "etcd-"+strconv.Itoa(r.n)), ClientPort: ports[0], PeerPort: ports[1],
	}), r}
	if err := n.Restart(); err != nil {
		return nil, err
	}
	r.Defer(n.Kill)
	return n, nil
}

// Restart starts a node that was killed.
func (n *Node) Restart() error { return n.r.on(n.Process.Start) }

// Quiet is a log that nobody reads.
func Quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Env is what a row runs with.
type Env struct {
	context.Context
	*Rig
	// Smoke asks for the fewest repetitions that go through every step.
	Smoke bool
	// Log gets a line for whoever waits.
	Log func(format string, args ...any)
}

// Reps returns full, or in a smoke few.
func (e *Env) Reps(full, few int) int {
	if e.Smoke {
		return few
	}
	return full
}
