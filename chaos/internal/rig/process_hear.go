package rig

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/muster-go/muster/chaos/internal/child"
)

// keepLines bounds what is kept of a process's log.
const keepLines = 20000

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

// last returns the event with which the process ended, if it could say one.
func (p *Process) last() (child.Event, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.events); n > 0 && p.events[n-1].Event == "end" {
		return p.events[n-1], true
	}
	return child.Event{}, false
}

func (p *Process) raced() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.races
}
