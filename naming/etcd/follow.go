package etcd

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	readTimeout = 5 * time.Second
	// watchBase and watchMax bound the pause before a broken watch is opened again. It ends early when etcd is back: then the
	// watches of a process are opened within watchSpread.
	watchBase, watchMax = 20 * time.Millisecond, 2 * time.Second
	watchSpread         = 50 * time.Millisecond
	// Everything is read once more after etcd was away: what an instance wrote itself soon, since it may not be listed, and
	// what is only looked at within a time that spreads the load of many clients.
	ownSpread, viewSpread = 500 * time.Millisecond, 5 * time.Second
	// auditPause is how long there is none after the last one, while etcd comes and goes.
	auditPause = 5 * time.Second
)

// maxKeys is how many keys one follower watches at most.
const maxKeys = 4

// follower keeps something in step with a few keys. Its functions are called by one goroutine.
type follower struct {
	name string
	// keys are watched; a key that ends in "/" stands for all below it. There are at most maxKeys.
	keys []string
	// from is the revision that is known already; 0 means that read has to be called first.
	from int64
	// spread is the time within which everything is read anew after etcd was away.
	spread time.Duration
	// read reads everything and returns the revision of what it read. It bounds each request itself.
	read func(ctx context.Context, h *handle) (int64, error)
	// apply takes the events of one or more revisions, in order.
	apply func(events []*clientv3.Event)
	// settle is called when nothing more is waiting to be applied, with the revision reached. After an error it is called
	// again, some backoff later.
	settle func(ctx context.Context, rev int64) error
}

var (
	// errEra ends a watch whose data has been replaced.
	errEra = errors.New("the cluster's data has been replaced")
	// errAudit ends a watch after etcd was away. The data may have been replaced by older ones that have gone further, since
	// then, than what was seen before: neither their revision nor their term tells.
	errAudit = errors.New("etcd was away: everything is read once more")
)

// following is the state of follow; its goroutine owns it.
type following struct {
	follower
	c *connection
	// at is, by key, the last revision that is known. It is an event's: the revision in a response's header may be ahead of
	// events that are still to come.
	at [maxKeys]int64
	// rev is the last revision that is known of any key; 0 means that everything has to be read.
	rev    int64
	stream int
	// era is closed when the data that were read have been replaced, back when etcd has been away and is back; audit is when
	// everything has to be read anew then, zero for not at all, and at least auditPause after the last time.
	era, back <-chan struct{}
	audit     time.Time
	readAt    time.Time
}

// follow runs f until ctx ends. A watch that broke is resumed where it ended; everything is read anew only where history
// has been compacted or replaced, and once each time that etcd was away.
func follow(ctx context.Context, c *connection, f follower) {
	s := following{follower: f, c: c, era: c.sight.era(), back: c.sight.returned()}
	s.reached(f.from)
	bo := newBackoff(watchBase, watchMax)
	for ctx.Err() == nil {
		began, wake := time.Now(), (<-chan struct{})(nil)
		err := s.once(ctx)
		if ctx.Err() != nil {
			return
		}
		c.log.Debug("etcd watch ended; opening it again", "watch", f.name, "from", s.rev, "err", err)
		switch {
		case errors.Is(err, errAudit):
			s.rev = 0
			continue
		case errors.Is(err, errEra), errors.Is(err, rpctypes.ErrCompacted), errors.Is(err, rpctypes.ErrFutureRev):
			s.rev = 0
		case rejected(err):
			// Once a token has expired, a stream refuses every new watch; only a stream of its own gets a new token. Where it is
			// the password that is refused, only another client will do.
			s.stream++
			c.doubt()
		case errors.Is(err, rpctypes.ErrNoLeader):
			wake = c.sight.woken()
			c.doubt() // the connection may be well: only a look, which waits for a leader, tells when there is one again
		}
		if time.Since(began) > watchMax {
			bo.Reset()
		}
		select {
		case <-ctx.Done():
		case <-s.back:
			s.returned()
			wait(ctx, rand.N(watchSpread))
			bo.Reset()
		case <-wake:
			wait(ctx, rand.N(watchSpread))
		case <-time.After(bo.NextBackOff()):
		}
	}
}

// returned plans to read everything anew, unless that is planned already.
func (s *following) returned() {
	s.back = s.c.sight.returned()
	if s.audit.IsZero() {
		s.audit = later(time.Now(), s.readAt.Add(auditPause)).Add(rand.N(s.spread))
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// reached notes that everything is known up to a revision.
func (s *following) reached(rev int64) {
	s.rev = rev
	for i := range s.at {
		s.at[i] = rev
	}
}
