package health

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// run is the scheduler: the one goroutine that starts runs and gives up on those that take too long.
func (m *Monitor) run() {
	defer close(m.loop)
	defer m.planned.Store(0)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		at := m.tick()
		if at == never {
			m.planned.Store(0)
			timer.Stop()
		} else {
			m.planned.Store(max(1, int64(at)))
			timer.Reset(at - m.now())
		}
		select {
		case <-timer.C:
		case <-m.poke:
		case <-m.ctx.Done():
			return
		}
	}
}

// tick does what is due and returns when there is more to do.
func (m *Monitor) tick() time.Duration {
	var news []transition
	m.mu.Lock()
	now, changed, at := m.now(), false, never
	for _, t := range m.tasks {
		if t.probe.Disabled || m.closed {
			continue
		}
		before := t.report.Word
		if t.open && now >= t.deadline {
			r := result{event: timedOut, latency: t.probe.Timeout, err: errTimeout, class: ClassTimeout}
			t.end(r, now, m.epoch)
			news, changed = appendTransition(news, t, before, r), true
		}
		if t.report.staleAt != 0 && now >= t.report.staleAt {
			before = t.report.Word
			t.expire(now, m.epoch)
			news, changed = appendTransition(news, t, before, result{}), true
		}
		if !t.open && now >= t.due && t.begin(now) {
			m.inFlight++
			go m.check(t, t.run, now)
		}
		at = min(at, t.wakeAt())
	}
	if changed {
		m.publishLocked()
	}
	m.mu.Unlock()
	m.logTransitions(news)
	return at
}

// check runs a probe's check once, in a goroutine of its own, and hands the result in, however it ends.
func (m *Monitor) check(t *task, run uint64, begun time.Duration) {
	r := result{event: panicked, err: errExited, class: ClassOther}
	defer func() {
		// Also after a panic, and after runtime.Goexit, which no recover sees.
		if v := recover(); v != nil {
			r = result{event: panicked, latency: m.now() - begun, err: errPanicked, class: ClassOther, text: panicText(v)}
		}
		m.take(t, run, r)
		m.release(t)
	}()
	ctx, cancel := context.WithDeadline(m.ctx, m.epoch.Add(begun+t.probe.Timeout))
	defer cancel()
	err := t.probe.Check(ctx)
	r = m.judge(t.probe, err, m.now()-begun)
}

// judge turns what a check returned into a result. It calls methods of the user's error, which may do anything: it runs
// where the check does.
func (m *Monitor) judge(p Probe, err error, took time.Duration) result {
	r := result{event: passed, latency: took}
	if took >= p.Timeout {
		r.event, r.err, r.class = timedOut, errTimeout, ClassTimeout
		return r
	}
	if err == nil {
		return r
	}
	var d *degradedError
	switch r.err, r.class = err, Classify(err); {
	case errors.As(err, &d):
		r.event = passedDegraded
	case r.class == ClassTimeout:
		r.event = timedOut
	default:
		r.event = failed
	}
	r.text = m.errorText(p.Name, err)
	return r
}

// take takes a result in. One whose run has been given up is dropped.
func (m *Monitor) take(t *task, run uint64, r result) {
	var news []transition
	m.mu.Lock()
	if t.open && t.run == run && !m.closed {
		before := t.report.Word
		t.end(r, m.now(), m.epoch)
		news = appendTransition(news, t, before, r)
		m.publishLocked()
	}
	m.mu.Unlock()
	m.logTransitions(news)
}

// release notes that the probe's goroutine is done, with its log lines too, so that a logger that blocks holds one
// goroutine of a probe and no more. If a run has been waiting for it, the check is started again at once.
func (m *Monitor) release(t *task) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t.inFlight = false
	m.inFlight--
	if m.closed && m.inFlight == 0 {
		close(m.idle)
	}
	if t.open {
		t.open, t.due = false, m.now()
	}
	m.wake()
}

// transition is a change of a probe's word, for the log.
type transition struct {
	probe    string
	level    Level
	from, to Word
	result   result
}

func appendTransition(news []transition, t *task, before Word, r result) []transition {
	if before == t.report.Word {
		return news
	}
	return append(news, transition{t.probe.Name, t.probe.Level, before, t.report.Word, r})
}

func (m *Monitor) logTransitions(news []transition) {
	for _, n := range news {
		level := slog.LevelWarn
		if n.to == WordOK {
			level = slog.LevelInfo
		}
		args := []any{"probe", n.probe, "level", n.level.String(), "from", string(n.from), "to", string(n.to)}
		if n.result.class != "" {
			args = append(args, "class", string(n.result.class))
		}
		if n.result.text != "" {
			args = append(args, "error", n.result.text)
		}
		m.say(level, "health: probe changed", args...)
	}
}

// logStuck names the checks that outlive Close.
func (m *Monitor) logStuck() {
	var names []string
	m.mu.Lock()
	for _, t := range m.tasks {
		if t.inFlight {
			names = append(names, t.probe.Name)
		}
	}
	m.mu.Unlock()
	m.say(slog.LevelWarn, "health: closed while a check ignores its context; its goroutine stays until it returns", "probes", names)
}

// say logs. A handler that panics costs its line, not the process.
func (m *Monitor) say(level slog.Level, msg string, args ...any) {
	defer func() { _ = recover() }()
	m.log.Log(context.Background(), level, msg, args...)
}
