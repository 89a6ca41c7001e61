package tour

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// line is one line of a process's JSON log.
type line struct {
	Time  time.Time
	Msg   string
	Attrs map[string]any
	Raw   string
}

func (l line) attr(name string) string {
	s, _ := l.Attrs[name].(string)
	return s
}

// process is a child of the tour: this program again, under another command.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended and its log is read

	mu    sync.Mutex
	lines []line
	news  chan struct{} // closed and replaced at each new line
}

// starter starts processes from one thread that lives as long as the starter does: on Linux each is killed when the
// thread that started it ends, so that whatever happens to the tour, nothing stays behind.
type starter struct {
	jobs chan func()
	end  chan struct{}

	mu  sync.Mutex
	all []*process
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

// start runs this program with those arguments, and those variables beside the environment that it has itself.
func (s *starter) start(name string, env []string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, cmd: exec.Command(self, args...), done: make(chan struct{}), news: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = childAttr()
	out, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error, 1)
	s.jobs <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go p.follow(out)
	s.mu.Lock()
	s.all = append(s.all, p)
	s.mu.Unlock()
	return p, nil
}

// stop ends those that still run: with SIGTERM, and by force once the patience is over.
func (s *starter) stop(patience time.Duration, which func(*process) bool) {
	s.mu.Lock()
	all := slices.DeleteFunc(slices.Clone(s.all), func(p *process) bool { return !which(p) })
	s.mu.Unlock()
	for _, p := range all {
		p.signal(syscall.SIGTERM)
	}
	limit, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, p := range all {
		select {
		case <-p.done:
		case <-limit.Done():
			p.signal(syscall.SIGKILL)
			<-p.done
		}
	}
}

// close ends the starter; nothing may run any more.
func (s *starter) close() { close(s.end) }

func (p *process) follow(r io.Reader) {
	in := bufio.NewReader(r)
	for {
		text, err := in.ReadString('\n')
		if text = strings.TrimSpace(text); text != "" {
			p.add(text)
		}
		if err != nil {
			break
		}
	}
	_ = p.cmd.Wait() // what it says is in ProcessState
	close(p.done)
}

func (p *process) add(text string) {
	l := line{Raw: text}
	if json.Unmarshal([]byte(text), &l.Attrs) == nil {
		l.Msg = l.attr("msg")
		l.Time, _ = time.Parse(time.RFC3339Nano, l.attr("time"))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	const most = 5000
	if len(p.lines) < most {
		p.lines = append(p.lines, l)
	}
	close(p.news)
	p.news = make(chan struct{})
}

// await returns the first line of the log, from its beginning, that matches.
func (p *process) await(ctx context.Context, what string, match func(line) bool) (line, error) {
	for seen, ended := 0, false; ; {
		p.mu.Lock()
		lines, news := p.lines, p.news
		p.mu.Unlock()
		for ; seen < len(lines); seen++ {
			if match(lines[seen]) {
				return lines[seen], nil
			}
		}
		if ended {
			return line{}, fmt.Errorf("%s ended (%v) before %s\n%s", p.name, p.cmd.ProcessState, what, p.tail(5))
		}
		select {
		case <-news:
		case <-p.done:
			ended = true
		case <-ctx.Done():
			return line{}, fmt.Errorf("%s: no sign of %s: %w\n%s", p.name, what, context.Cause(ctx), p.tail(5))
		}
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// tail is the end of the log, for an error.
func (p *process) tail(n int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, l := range p.lines[max(0, len(p.lines)-n):] {
		b.WriteString("    " + l.Raw + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

func (p *process) signal(s os.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		fmt.Fprintf(os.Stderr, "signal %v to %s: %v\n", s, p.name, err)
	}
}

// wait waits for the process's end and returns its exit code, which is negative after a signal.
func (p *process) wait(ctx context.Context) (int, error) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s has not ended: %w\n%s", p.name, context.Cause(ctx), p.tail(5))
	}
}
