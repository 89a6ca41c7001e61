package rig

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

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

// keepLines bounds what is kept of a process's log.
const keepLines = 20000

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

func (p *Process) hear(r io.Reader) {
	in := json.NewDecoder(bufio.NewReader(r))
	for {
		var e child.Event
		if in.Decode(&e) != nil {
			return
		}
		if e.Call != nil {
			p.onCall(*e.Call)
			continue
		}
		p.tell(func() { p.events = append(p.events, e) })
	}
}

func (p *Process) read(r io.Reader) {
	in := bufio.NewReader(r)
	for {
		text, err := in.ReadString('\n')
		if text = strings.TrimSpace(text); text != "" {
			p.tell(func() {
				if len(p.lines) < keepLines {
					p.lines = append(p.lines, text)
				}
				if strings.Contains(text, "WARNING: DATA RACE") {
					p.races++
				}
			})
		}
		if err != nil {
			return
		}
	}
}

func (p *Process) tell(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	close(p.news)
	p.news = make(chan struct{})
}

// Mark returns a place among the process's events: those to come.
func (p *Process) Mark() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.events)
}

// Await returns the first event from that place on that matches.
func (p *Process) Await(ctx context.Context, from int, what string, match func(child.Event) bool) (child.Event, error) {
	for ended := false; ; {
		p.mu.Lock()
		events, news := p.events, p.news
		p.mu.Unlock()
		for ; from < len(events); from++ {
			if match(events[from]) {
				return events[from], nil
			}
		}
		if ended {
			return child.Event{}, fmt.Errorf("%s ended (%v) before %s\n%s", p.Name, p.cmd.ProcessState, what, p.Tail(8))
		}
		select {
		case <-news:
		case <-p.done:
			ended = true
		case <-ctx.Done():
			return child.Event{}, fmt.Errorf("%s: no sign of %s: %w\n%s", p.Name, what, context.Cause(ctx), p.Tail(8))
		}
	}
}

// AwaitLog returns the first line of the log, from its beginning, that holds all of the texts.
func (p *Process) AwaitLog(ctx context.Context, texts ...string) error {
	for seen := 0; ; {
		p.mu.Lock()
		lines, news := p.lines, p.news
		p.mu.Unlock()
		for ; seen < len(lines); seen++ {
			if containsAll(lines[seen], texts) {
				return nil
			}
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("%s: no line in the log with %q\n%s", p.Name, texts, p.Tail(8))
		}
	}
}

// CountLog counts the lines of the log that hold all of the texts.
func (p *Process) CountLog(texts ...string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if containsAll(l, texts) {
			n++
		}
	}
	return n
}

// Lines is how many lines each process has logged that has not been stopped or killed.
func (w *World) Lines() map[*Process]int {
	all := map[*Process]int{}
	for _, p := range w.living() {
		all[p] = p.CountLog()
	}
	return all
}

func containsAll(s string, texts []string) bool {
	for _, t := range texts {
		if !strings.Contains(s, t) {
			return false
		}
	}
	return true
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

// Tail is the end of the log, for an error.
func (p *Process) Tail(n int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, l := range p.lines[max(0, len(p.lines)-n):] {
		b.WriteString("      " + l[:min(len(l), 400)] + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
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

// last returns the event with which the process ended, if it could say one.
func (p *Process) last() (child.Event, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.events); n > 0 && p.events[n-1].Event == "end" {
		return p.events[n-1], true
	}
	return child.Event{}, false
}

// stall is a time in which a process did not run though it wanted to.
type stall struct {
	process  string
	from, to time.Time
}

func (s stall) String() string {
	return fmt.Sprintf("%s did not run for %d ms until %s", s.process, s.to.Sub(s.from).Milliseconds(), s.to.Format(clock))
}

// hit reports whether a call was under way meanwhile.
func (s stall) hit(c Call) bool { return c.Began.Before(s.to) && c.Ended().After(s.from) }

// stalls lists when the process did not run.
func (p *Process) stalls() (all []stall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if e.Event == "stalled" {
			to := time.UnixMicro(e.At)
			all = append(all, stall{p.Name, to.Add(-time.Duration(e.N) * time.Millisecond), to})
		}
	}
	return all
}

func (p *Process) raced() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.races
}
