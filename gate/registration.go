package gate

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
)

const (
	// leaveLimit bounds the leave of a drain.
	leaveLimit = 2500 * time.Millisecond
	// drainLimit bounds what a drain takes beyond its delay, even if a driver ignores its context.
	drainLimit = 2900 * time.Millisecond
)

// Registration is one registered instance. It is safe for concurrent use.
type Registration struct {
	gate    *Gate
	in      naming.Instance
	listen  string
	floor   naming.Floor
	started time.Time
	log     *slog.Logger
	delay   time.Duration
	source  *health.Source
	living  context.Context // ends when the drain begins, and every request but the leave with it
	die     context.CancelFunc
	done    chan struct{} // closed when the owner has ended

	mu       sync.Mutex
	shown    health.Registration
	draining bool
	linger   time.Duration // the delay of the drain that has begun
	gone     error         // why the leave was not answered
	changed  map[change]time.Time
}

// change is one kind of transition; changed holds when the last of each was.
type change struct{ from, to health.Lifecycle }

// Addr returns the advertised address.
func (r *Registration) Addr() string { return r.in.Addr }

// State returns where the registration stands.
func (r *Registration) State() health.Lifecycle {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shown.State
}

// Done is closed when the registration has gone and its goroutine has ended.
func (r *Registration) Done() <-chan struct{} { return r.done }

// Deregister drains the instance: health says draining, the registry is told, and the drain delay passes, while the server
// should go on answering. There is no delay for an instance that has never been listed. It returns within the delay and
// three seconds, whatever the registry does, with an error if the registry did not answer: then the lease takes the entry
// along when it runs out.
//
// Called again, or by several at once, it waits for the same drain and returns the same.
func (r *Registration) Deregister() error {
	r.drain(r.delay)
	return r.wait()
}

// begin starts the owner.
func (r *Registration) begin() {
	r.source = r.gate.o.Monitor.Attach(r.shown)
	r.living, r.die = context.WithCancel(context.Background())
	go newOwner(r).run()
}

// end is the owner's last word.
func (r *Registration) end() {
	r.die()
	r.source.Detach() // health goes on saying that the process drains
	r.gate.forget(r)
	close(r.done)
}

// unanswered keeps why the leave failed, for those who wait.
func (r *Registration) unanswered(err error) {
	r.log.Warn("left without an answer of the registry: the entry goes when the lease runs out", "error", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = fmt.Errorf("gate: %s at %s has left without an answer of the registry, and its entry goes when the lease runs out: %w",
		r.in.Service, r.in.Addr, err)
}

// drain begins the drain, if it has not begun.
func (r *Registration) drain(delay time.Duration) {
	r.mu.Lock()
	begin := !r.draining
	if begin {
		r.draining, r.linger = true, delay
	}
	r.mu.Unlock()
	if !begin {
		return
	}
	r.show(health.Draining, "", circumstances{})
	r.die()
}

// unheard returns why the leave was not answered.
func (r *Registration) unheard() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gone
}

// wait waits for the drain.
func (r *Registration) wait() error {
	r.mu.Lock()
	delay := r.linger
	r.mu.Unlock()
	t := time.NewTimer(delay + drainLimit)
	defer t.Stop()
	select {
	case <-r.done:
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.gone
	case <-t.C:
		return fmt.Errorf("gate: %s at %s: the registry's driver has not returned from the leave", r.in.Service, r.in.Addr)
	}
}

// show tells health and the log where the registration stands, once for each change. What drains stays so until it is gone.
func (r *Registration) show(l health.Lifecycle, detail string, c circumstances) {
	r.mu.Lock()
	old := r.shown
	if old.State == l && old.Detail == detail || old.State == health.Gone || old.State == health.Draining && l != health.Gone {
		r.mu.Unlock()
		return
	}
	now := old
	now.State, now.Detail = l, detail
	if old.State != l {
		now.Since = time.Now()
	}
	r.shown = now
	r.source.Set(now)
	kind := change{old.State, l}
	last, seen := r.changed[kind]
	if old.State != l {
		r.changed[kind] = now.Since
	}
	r.mu.Unlock()
	if old.State == l {
		return
	}
	if !seen || now.Since.Sub(last) >= forgotten {
		r.gate.journal.news(msgChanged)
	} else if !r.gate.journal.repeat(msgChanged) {
		return
	}
	level := slog.LevelInfo
	if l == health.Withdrawn || l == health.Held || l == health.Offline {
		level = slog.LevelWarn
	}
	r.log.Log(context.Background(), level, msgChanged, "from", old.State.String(), "to", l.String(),
		"cause", why(old.State, l, c), "after", now.Since.Sub(old.Since).Round(time.Microsecond), "detail", detail)
}
