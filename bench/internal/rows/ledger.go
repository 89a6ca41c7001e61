package rows

import (
	"context"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/internal/floortest"
)

// ledger follows one service by a bare watch of etcd, revision by revision, from the first on.
type ledger struct {
	mu      sync.Mutex // guards everything that follows
	audit   *floortest.Audit
	at      time.Time // when the last revision was heard of
	err     error
	changed chan struct{} // closed and replaced
}

// keep follows until ctx ends.
func keep(ctx context.Context, cli *clientv3.Client, a *floortest.Audit) *ledger {
	l := &ledger{audit: a, changed: make(chan struct{})}
	go func() {
		for r := range cli.Watch(ctx, "", clientv3.WithPrefix(), clientv3.WithRev(1)) {
			l.hear(r)
		}
	}()
	return l
}

func (l *ledger) hear(r clientv3.WatchResponse) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at, l.err = time.Now(), r.Err()
	for i := 0; i < len(r.Events); {
		rev := r.Events[i].Kv.ModRevision
		var all []floortest.Event
		for ; i < len(r.Events) && r.Events[i].Kv.ModRevision == rev; i++ {
			all = append(all, floortest.EventOf(r.Events[i]))
		}
		l.audit.Revision(rev, all)
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// await returns when so holds, and when that was heard of.
func (l *ledger) await(what string, so func(*floortest.Audit) bool) (time.Time, error) {
	limit := time.After(patience)
	for {
		l.mu.Lock()
		ok, at, err, changed := so(l.audit), l.at, l.err, l.changed
		l.mu.Unlock()
		if ok || err != nil {
			return at, err
		}
		select {
		case <-changed:
		case <-limit:
			return at, fmt.Errorf("it did not come to be that %s", what)
		}
	}
}

// breaches returns how many withdrawals there were, and those that left fewer serving than the floor allows.
func (l *ledger) breaches() (withdrawals int, below []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.audit.Withdrawals, l.audit.Breaches
}
