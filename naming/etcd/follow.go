package etcd

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"
)

const (
	readTimeout = 5 * time.Second
	// watchBase and watchMax bound the pause before a broken watch is opened again. It ends early when etcd is back: then the
	// watches of a process are opened within watchSpread.
	watchBase, watchMax = 20 * time.Millisecond, 2 * time.Second
	watchSpread         = 50 * time.Millisecond
)

// follower keeps something in step with a few keys. Its functions are called by one goroutine.
type follower struct {
	name string
	// keys are watched; a key that ends in "/" stands for all below it. There are at most three.
	keys []string
	// from is the revision that is known already; 0 means that read has to be called first.
	from int64
	// read reads everything and returns the revision of what it read. It bounds each request itself.
	read func(ctx context.Context, h *handle) (int64, error)
	// apply takes the events of one or more revisions, in order.
	apply func(events []*clientv3.Event)
	// settle is called when nothing more is waiting to be applied, with the revision reached. After an error it is called
	// again, some backoff later.
	settle func(ctx context.Context, rev int64) error
}

// errEra ends a watch whose data has been replaced.
var errEra = errors.New("the cluster's data has been replaced")

// follow runs f until ctx ends. A watch that broke is resumed where it ended; everything is read anew only where history
// has been compacted, or replaced.
func follow(ctx context.Context, c *connection, f follower) {
	bo := newBackoff(watchBase, watchMax)
	stream := 0
	for ctx.Err() == nil {
		began, back := time.Now(), c.sight.returned()
		err := followOnce(ctx, c, &f, stream)
		if ctx.Err() != nil {
			return
		}
		c.log.Debug("etcd watch ended; opening it again", "watch", f.name, "from", f.from, "err", err)
		switch {
		case errors.Is(err, errEra), errors.Is(err, rpctypes.ErrCompacted), errors.Is(err, rpctypes.ErrFutureRev):
			f.from = 0
		case rejected(err):
			// Once a token has expired, a stream refuses every new watch; only a stream of its own gets a new token. Where it is
			// the password that is refused, only another client will do.
			stream++
			c.doubt()
		case errors.Is(err, rpctypes.ErrNoLeader):
			c.doubt() // the connection may be well: only a look tells when there is a leader again
		}
		if time.Since(began) > watchMax {
			bo.Reset()
		}
		select {
		case <-ctx.Done():
		case <-back:
			wait(ctx, rand.N(watchSpread))
			bo.Reset()
		case <-time.After(bo.NextBackOff()):
		}
	}
}

func followOnce(ctx context.Context, c *connection, f *follower, stream int) error {
	era := c.sight.era()
	h, err := c.get(ctx)
	if err != nil {
		return err
	}
	if f.from == 0 {
		if err := f.readAll(ctx, c, h); err != nil {
			return err
		}
	}
	wctx := clientv3.WithRequireLeader(ctx)
	if stream > 0 {
		wctx = metadata.AppendToOutgoingContext(wctx, "muster-stream", strconv.Itoa(stream))
	}
	wctx, cancel := context.WithCancel(wctx)
	defer cancel()

	var ch [3]clientv3.WatchChan
	for i, key := range f.keys {
		opts := []clientv3.OpOption{clientv3.WithRev(f.from + 1)}
		if key[len(key)-1] == '/' {
			opts = append(opts, clientv3.WithPrefix())
		}
		ch[i] = h.watch(wctx, key, opts...)
	}
	for {
		if err := f.settle(ctx, f.from); err != nil {
			return err
		}
		var r clientv3.WatchResponse
		var ok bool
		select {
		case r, ok = <-ch[0]:
		case r, ok = <-ch[1]:
		case r, ok = <-ch[2]:
		case <-era:
			return errEra
		case <-ctx.Done():
			return ctx.Err()
		}
		for more := true; more; {
			if err := watchErr(r, ok); err != nil {
				return err
			}
			f.apply(r.Events)
			f.from = max(f.from, r.Header.Revision)
			select { // whatever is there already joins into one settle
			case r, ok = <-ch[0]:
			case r, ok = <-ch[1]:
			case r, ok = <-ch[2]:
			default:
				more = false
			}
		}
		c.sight.saw(f.from)
	}
}

func (f *follower) readAll(ctx context.Context, c *connection, h *handle) error {
	rev, err := f.read(ctx, h)
	if err != nil {
		return err
	}
	f.from = rev
	c.sight.saw(rev)
	c.sight.up(c.log, c.cfg.Endpoints) // who has seen a view must not be told that etcd has never answered
	return f.settle(ctx, rev)
}

func watchErr(r clientv3.WatchResponse, ok bool) error {
	if !ok {
		return errors.New("closed")
	}
	if err := r.Err(); err != nil {
		return rpctypes.Error(err)
	}
	return nil
}
