package tour

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/muster-go/muster/demo/kitex_gen/user"
)

// call is one call of the tour's, with every process that worked on it.
type call struct {
	began time.Time
	took  time.Duration
	err   error
	hops  []*user.Hop
}

// ledger is the account of all calls.
type ledger struct {
	mu    sync.Mutex
	calls []call
	most  int           // how many are kept; 0 for all
	news  chan struct{} // closed and replaced at each call
}

func newLedger() *ledger { return &ledger{news: make(chan struct{})} }

func (l *ledger) add(c call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, c)
	if l.most > 0 && len(l.calls) > 2*l.most {
		l.calls = slices.Clone(l.calls[len(l.calls)-l.most:])
	}
	close(l.news)
	l.news = make(chan struct{})
}

// keep lets the ledger forget all calls but about the last n.
func (l *ledger) keep(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most = n
}

// mark returns a place in the ledger: the calls that end from now on.
func (l *ledger) mark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.calls)
}

// await returns the first call from that place on that matches.
func (l *ledger) await(ctx context.Context, from int, what string, match func(call) bool) (call, error) {
	for {
		l.mu.Lock()
		calls, news := l.calls, l.news
		l.mu.Unlock()
		for ; from < len(calls); from++ {
			if match(calls[from]) {
				return calls[from], nil
			}
		}
		select {
		case <-news:
		case <-ctx.Done():
			return call{}, fmt.Errorf("no %s: %w", what, context.Cause(ctx))
		}
	}
}

// awaitMore waits until n calls more have ended.
func (l *ledger) awaitMore(ctx context.Context, n int) error {
	_, err := l.await(ctx, l.mark(), fmt.Sprintf("%d more calls", n), func(call) bool { n--; return n <= 0 })
	return err
}

// tally is the account of some calls.
type tally struct {
	calls, failed int
	errors        []string // the first few, without repetition
	first, last   map[string]time.Time
	answered      map[string]int
	took          []time.Duration // sorted
}

// since sums up the calls from that place on. first and last are when an instance began its first and last answer.
func (l *ledger) since(from int) tally {
	l.mu.Lock()
	calls := l.calls[min(from, len(l.calls)):]
	l.mu.Unlock()
	t := tally{calls: len(calls), first: map[string]time.Time{}, last: map[string]time.Time{}, answered: map[string]int{}}
	for _, c := range calls {
		if c.err != nil {
			t.failed++
			if text := c.err.Error(); len(t.errors) < 3 && !slices.Contains(t.errors, text) {
				t.errors = append(t.errors, text)
			}
			continue
		}
		t.took = append(t.took, c.took)
		for _, h := range c.hops {
			at := time.UnixMicro(h.BeganUs)
			t.answered[h.Instance]++
			if f, ok := t.first[h.Instance]; !ok || at.Before(f) {
				t.first[h.Instance] = at
			}
			if at.After(t.last[h.Instance]) {
				t.last[h.Instance] = at
			}
		}
	}
	slices.Sort(t.took)
	return t
}

// by reports whether an instance worked on the call.
func (c call) by(instance string) bool {
	return slices.ContainsFunc(c.hops, func(h *user.Hop) bool { return h.Instance == instance })
}

// percentile returns the p-th of the durations of calls that were answered.
func (t tally) percentile(p int) time.Duration {
	if len(t.took) == 0 {
		return 0
	}
	return t.took[min(len(t.took)-1, len(t.took)*p/100)]
}

func (t tally) String() string { return fmt.Sprintf("%d of %d", t.failed, t.calls) }
