package rig

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/muster-go/muster/chaos/internal/child"
)

// Call is one call, as the caller saw it.
type Call struct {
	Service string
	Began   time.Time
	Took    time.Duration
	By, Err string
	Picks   []Pick
}

// Pick is an instance that a call was sent to, whether it answered or not.
type Pick struct {
	Addr string
	At   time.Time
}

// Ended is when the caller had its answer, or its error.
func (c Call) Ended() time.Time { return c.Began.Add(c.Took) }

// Ledger is the account of all calls.
type Ledger struct {
	mu    sync.Mutex
	calls []Call
	news  chan struct{} // closed and replaced at each call
}

func newLedger() *Ledger { return &Ledger{news: make(chan struct{})} }

func (l *Ledger) add(c child.Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	call := Call{
		Service: c.Service, Began: time.UnixMicro(c.Began), Took: time.Duration(c.Took) * time.Microsecond, By: c.By, Err: c.Err,
	}
	for _, p := range c.Picks {
		call.Picks = append(call.Picks, Pick{p.Addr, call.Began.Add(time.Duration(p.After) * time.Microsecond)})
	}
	l.calls = append(l.calls, call)
	close(l.news)
	l.news = make(chan struct{})
}

// Mark returns a place in the ledger: the calls that end from now on.
func (l *Ledger) Mark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.calls)
}

// Since returns the calls from that place on.
func (l *Ledger) Since(from int) []Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clip(l.calls[min(from, len(l.calls)):])
}

// Picked counts the picks of an address in the calls from that place on, since a moment.
func (l *Ledger) Picked(from int, addr string, since time.Time) (n int) {
	for _, c := range l.Since(from) {
		for _, p := range c.Picks {
			if p.Addr == addr && p.At.After(since) {
				n++
			}
		}
	}
	return n
}

// AwaitAll waits until each of these addresses has answered a call from that place on.
func (l *Ledger) AwaitAll(ctx context.Context, from int, addrs []string) error {
	missing := map[string]bool{}
	for _, a := range addrs {
		missing[a] = true
	}
	for {
		l.mu.Lock()
		calls, news := l.calls, l.news
		l.mu.Unlock()
		for ; from < len(calls) && len(missing) > 0; from++ {
			delete(missing, calls[from].By)
		}
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("no call has been answered by %v: %w", missing, context.Cause(ctx))
		}
	}
}

// Failed returns the calls that failed.
func Failed(calls []Call) []Call {
	return slices.DeleteFunc(slices.Clone(calls), func(c Call) bool { return c.Err == "" })
}
