package floortest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// patience bounds every wait for something that must happen.
const patience = 30 * time.Second

// Ledger keeps an Audit up to date from etcd's first revision on, and waits for what should come to be.
type Ledger struct {
	done   chan struct{}
	cancel context.CancelFunc

	// mu guards everything that follows.
	mu      sync.Mutex
	audit   *Audit
	rev     int64
	at      time.Time // when rev was heard of
	err     error
	changed chan struct{} // closed and replaced
}

// Keep follows etcd until the test ends.
func Keep(t testing.TB, cli *clientv3.Client, a *Audit) *Ledger {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Ledger{audit: a, done: make(chan struct{}), cancel: cancel, changed: make(chan struct{})}
	go l.run(clientv3.WithRequireLeader(ctx), cli)
	t.Cleanup(l.Stop)
	return l
}

// Stop ends the ledger; what it knows stays.
func (l *Ledger) Stop() {
	l.cancel()
	<-l.done
}

func (l *Ledger) run(ctx context.Context, cli *clientv3.Client) {
	defer close(l.done)
	for r := range cli.Watch(ctx, "", clientv3.WithPrefix(), clientv3.WithRev(1)) {
		l.mu.Lock()
		l.err = r.Err()
		for i := 0; i < len(r.Events); {
			rev := r.Events[i].Kv.ModRevision
			var all []Event
			for ; i < len(r.Events) && r.Events[i].Kv.ModRevision == rev; i++ {
				all = append(all, EventOf(r.Events[i]))
			}
			l.audit.Revision(rev, all)
			l.rev, l.at = rev, time.Now()
		}
		close(l.changed)
		l.changed = make(chan struct{})
		l.mu.Unlock()
	}
}

// Look lets f read the audit.
func (l *Ledger) Look(f func(a *Audit)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l.audit)
}

// Wait returns when, at some revision, so holds, and when that was heard of.
func (l *Ledger) Wait(t testing.TB, what string, so func(a *Audit) bool) time.Time {
	t.Helper()
	at, err := l.Await(so)
	if err != nil {
		l.Look(func(a *Audit) { t.Fatalf("%s did not come to be: %v: %+v", what, err, a.Members) })
	}
	return at
}

// Await is Wait for goroutines other than the test's.
func (l *Ledger) Await(so func(a *Audit) bool) (time.Time, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		l.mu.Lock()
		ok, at, changed, err := so(l.audit), l.at, l.changed, l.err
		l.mu.Unlock()
		if ok || err != nil {
			return at, err
		}
		select {
		case <-changed:
		case <-late.C:
			return at, errors.New("waited long enough")
		}
	}
}

// Reach waits until the ledger has heard of a revision, or of a later one.
func (l *Ledger) Reach(t testing.TB, rev int64) {
	t.Helper()
	l.Wait(t, "a revision", func(*Audit) bool { return l.rev >= rev })
}
