package rig

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/muster-go/muster/chaos/internal/child"
)

// starter starts processes from one thread that lives as long as the suite: on Linux each is killed when the thread that
// started it ends, so that whatever happens to the suite, nothing stays behind.
type starter struct {
	jobs chan func()
	end  chan struct{}
}

func newStarter() *starter {
	s := &starter{jobs: make(chan func()), end: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for {
			select {
			case job := <-s.jobs:
				job()
			case <-s.end:
				return
			}
		}
	}()
	return s
}

// do runs a function on the starter's thread.
func (s *starter) do(f func() error) error {
	done := make(chan error, 1)
	s.jobs <- func() { done <- f() }
	return <-done
}

// Process is a child of the suite's.
type Process struct {
	Name string

	cmd    *exec.Cmd
	stdin  io.WriteCloser
	done   chan struct{} // closed when it has ended and everything that it said has been read
	onCall func(child.Call)

	mu     sync.Mutex // guards everything that follows
	events []child.Event
	lines  []string
	races  int
	news   chan struct{} // closed and replaced at each event and line
}

func (s *starter) start(name string, env []string, onCall func(child.Call)) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{Name: name, cmd: exec.Command(self), done: make(chan struct{}), news: make(chan struct{}), onCall: onCall}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = childAttr()
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	logs, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.do(p.cmd.Start); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { p.hear(out) })
	wg.Go(func() { p.read(logs) })
	go func() {
		wg.Wait()
		_ = p.cmd.Wait() // what it says is in ProcessState
		_ = p.stdin.Close()
		close(p.done)
	}()
	return p, nil
}

// Order gives the process an order without waiting for what comes of it.
func (p *Process) Order(order string) error {
	_, err := fmt.Fprintln(p.stdin, order)
	return err
}

// Obey gives an order and waits until it has been carried out.
func (p *Process) Obey(ctx context.Context, order string) (child.Event, error) {
	obeyed, err := p.Begin(order)
	if err != nil {
		return child.Event{}, err
	}
	return obeyed(ctx)
}

// Begin gives an order; what it returns waits until it has been carried out.
func (p *Process) Begin(order string) (obeyed func(context.Context) (child.Event, error), err error) {
	from := p.Mark()
	if err := p.Order(order); err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	word, _, _ := strings.Cut(order, " ")
	return func(ctx context.Context) (child.Event, error) {
		return p.Await(ctx, from, "having done "+order, func(e child.Event) bool { return e.Event == "done" && e.Done == word })
	}, nil
}

// Signal sends a signal; to a process that has ended it does nothing.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Wait waits for the process's end and returns its exit code, which is negative after a signal.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s has not ended: %w\n%s", p.Name, context.Cause(ctx), p.Tail(8))
	}
}
