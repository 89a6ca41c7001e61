package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/muster-go/muster/naming"
)

// errLeaseGone is etcd's word that a lease exists no more; nothing else ends a session.
var errLeaseGone = fmt.Errorf("%w: etcd knows the lease no more", naming.ErrLost)

// session is one lease, shared by all memberships that joined under it, and the goroutine that renews it.
type session struct {
	d  *Driver
	id clientv3.LeaseID
	// ctx ends with the session; its cause says why.
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the goroutine has ended

	// d.mu guards everything that follows.
	members  int
	debris   debris // to be swept at the next renewal
	departed debris // those whose membership has ended, to be looked at after etcd was away
}

// session returns the process's session, taking a lease where there is none. The caller holds it until release.
func (d *Driver) session(ctx context.Context, h *handle) (*session, error) {
	select { // one at a time; a mutex would not obey ctx
	case d.granting <- struct{}{}:
		defer func() { <-d.granting }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	d.mu.Lock()
	s := d.current
	if s != nil && s.ctx.Err() == nil {
		s.members++
		d.mu.Unlock()
		return s, nil
	}
	d.mu.Unlock()

	id, err := d.grant(ctx, h, int64(d.cfg.LeaseTTL/time.Second))
	if err != nil {
		return nil, err
	}
	sctx, cancel := context.WithCancelCause(d.ctx)
	s = &session{d: d, id: id, ctx: sctx, cancel: cancel, done: make(chan struct{}), members: 1, debris: debris{}, departed: debris{}}
	d.mu.Lock()
	d.current = s
	d.mu.Unlock()
	d.wg.Go(s.run)
	return s, nil
}

// release gives a session back. The last to go revokes the lease: earlier would take the process's other services along.
// Where etcd does not answer, the lease is left to run out.
func (s *session) release(ctx context.Context, h *handle) error {
	s.d.mu.Lock()
	s.members--
	last := s.members == 0
	if last && s.d.current == s {
		s.d.current = nil
	}
	s.d.mu.Unlock()
	if !last {
		return nil
	}
	s.end(naming.ErrLeft)
	if h == nil {
		return nil
	}
	if _, err := h.cli.Revoke(ctx, s.id); err != nil && !errors.Is(rpctypes.Error(err), rpctypes.ErrLeaseNotFound) {
		return fmt.Errorf("etcd: revoke: %w", err)
	}
	return nil
}

// end stops the renewals and joins their goroutine.
func (s *session) end(err error) {
	s.cancel(err)
	<-s.done
}

// lost tells the session at once what a transaction has learnt: that its lease is gone.
func (s *session) lost() { s.cancel(errLeaseGone) }

// run renews the lease until it is gone or the session ends. While etcd is out of reach it goes on trying, for ever: the
// lease may have outlived the outage, and only etcd knows.
func (s *session) run() {
	defer close(s.done)
	bo := newBackoff(connectBase, connectMax)
	for s.ctx.Err() == nil {
		err := s.renew(s.ctx, bo.Reset)
		if errors.Is(err, errLeaseGone) {
			s.lost()
		}
		if s.ctx.Err() == nil {
			if err != nil && rejected(err) {
				s.d.conn.doubt()
			}
			s.d.cfg.Logger.Debug("lease keepalive interrupted", "err", err)
			wait(s.ctx, bo.NextBackOff())
		}
	}
	if errors.Is(context.Cause(s.ctx), errLeaseGone) {
		s.d.cfg.Logger.Error("etcd lease lost; its instances join again", "lease", fmt.Sprintf("%x", s.id))
	}
}

// renew keeps one stream of renewals going, a third of the TTL apart, until it breaks. An answer that takes longer than
// half the TTL counts as none, so that there is time for another connection.
func (s *session) renew(ctx context.Context, healthy func()) error {
	h, err := s.d.conn.get(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	patience := max(s.d.cfg.LeaseTTL/2, time.Second)
	watchdog := time.AfterFunc(patience, cancel)
	defer watchdog.Stop()
	stream, err := pb.NewLeaseClient(h.cli.ActiveConnection()).LeaseKeepAlive(ctx, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	tick := time.NewTicker(s.d.cfg.LeaseTTL / 3)
	defer tick.Stop()
	s.recheck()
	for {
		watchdog.Reset(patience)
		if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: int64(s.id)}); err != nil {
			return err
		}
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		watchdog.Stop()
		if r.TTL <= 0 {
			return errLeaseGone
		}
		s.d.conn.sight.saw(r.Header.Revision)
		healthy()
		s.sweep(h)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
