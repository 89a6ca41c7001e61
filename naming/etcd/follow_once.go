package etcd

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"
)

// once reads what has to be read, and watches until that fails.
func (s *following) once(ctx context.Context) error {
	select {
	case <-s.era: // while nobody was watching
		s.rev = 0
	default:
	}
	h, err := s.c.get(ctx)
	if err != nil {
		return err
	}
	if s.rev == 0 {
		if err := s.readAll(ctx, h); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ch := s.open(ctx, h)
	for {
		if err := s.settle(ctx, s.rev); err != nil {
			return err
		}
		var audit <-chan time.Time
		if !s.audit.IsZero() {
			audit = time.After(time.Until(s.audit))
		}
		var i int
		var r clientv3.WatchResponse
		var ok bool
		select {
		case r, ok = <-ch[0]:
		case r, ok = <-ch[1]:
			i = 1
		case r, ok = <-ch[2]:
			i = 2
		case r, ok = <-ch[3]:
			i = 3
		case <-s.era:
			return errEra
		case <-s.back:
			s.returned()
			continue
		case <-audit:
			return errAudit
		case <-ctx.Done():
			return ctx.Err()
		}
		for more := true; more; {
			if err := s.take(i, r, ok); err != nil {
				return err
			}
			select { // whatever is there already joins into one settle
			case r, ok = <-ch[0]:
				i = 0
			case r, ok = <-ch[1]:
				i = 1
			case r, ok = <-ch[2]:
				i = 2
			case r, ok = <-ch[3]:
				i = 3
			default:
				more = false
			}
		}
		s.c.sight.saw(s.rev)
	}
}

// open watches each key from where it is known.
func (s *following) open(ctx context.Context, h *handle) (ch [maxKeys]clientv3.WatchChan) {
	ctx = clientv3.WithRequireLeader(ctx)
	if s.stream > 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, "muster-stream", strconv.Itoa(s.stream))
	}
	for i, key := range s.keys {
		opts := []clientv3.OpOption{clientv3.WithRev(s.at[i] + 1)}
		if key[len(key)-1] == '/' {
			opts = append(opts, clientv3.WithPrefix())
		}
		ch[i] = h.watch(ctx, key, opts...)
	}
	return ch
}

// take applies a response of one key's watch.
func (s *following) take(i int, r clientv3.WatchResponse, ok bool) error {
	if err := watchErr(r, ok); err != nil {
		return err
	}
	s.apply(r.Events)
	if n := len(r.Events); n > 0 {
		s.at[i] = r.Events[n-1].Kv.ModRevision
		s.rev = max(s.rev, s.at[i])
	}
	return nil
}

func (s *following) readAll(ctx context.Context, h *handle) error {
	s.era, s.back = s.c.sight.era(), s.c.sight.returned() // before: what happens meanwhile must not go unnoticed
	rev, err := s.read(ctx, h)
	if err != nil {
		return err
	}
	s.reached(rev)
	s.c.sight.saw(rev)
	s.c.sight.up(s.c.log, s.c.cfg.Endpoints) // who has seen a view must not be told that etcd has never answered
	s.audit, s.readAt = time.Time{}, time.Now()
	return s.settle(ctx, rev)
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
