package etcd

import (
	"context"
	"fmt"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

// A process whose claim made again has to yield leaves that claim in a key of its own beside the holder's, so that the one
// that serves can tell of the conflict as well as the one that waits.
const (
	// claimTTL is how long such a claim outlives the process that made it, in seconds. Each further attempt renews it.
	claimTTL = 5
	// claimTimeout bounds what is asked of etcd for it, each time: the gate is waiting for the answer to its join.
	claimTimeout = time.Second
)

// contest leaves, or renews, a claim to an address that holder holds. Nothing depends on it, so an error is not one of the
// join's.
func (m *membership) contest(ctx context.Context, h *handle, holder, claim *mvccpb.KeyValue, st naming.Status) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	var err error
	switch {
	case claim == nil:
		err = m.leaveClaim(ctx, h, holder, st)
	case m.ownClaim(claim):
		err = renewOnce(ctx, h, claim.Lease)
	default: // a third one's: the holder knows already
	}
	if err != nil {
		m.log.Debug("could not tell the holder of this address of the conflict", "err", err)
	}
}

func (m *membership) leaveClaim(ctx context.Context, h *handle, holder *mvccpb.KeyValue, st naming.Status) error {
	lease, err := m.d.grant(ctx, h, claimTTL)
	if err != nil {
		return err
	}
	m.d.dropClaim(ctx, h, m.keys.claim) // what was on the lease of before is gone
	if !m.d.noteClaim(m.keys.claim, lease) {
		m.d.wg.Go(func() { m.d.disown(ctx, h, lease) })
		return naming.ErrClosed
	}
	t, err := h.Txn(ctx).If(
		clientv3.Compare(clientv3.ModRevision(m.keys.roster), "=", modRevision(holder)),
		clientv3.Compare(clientv3.CreateRevision(m.keys.claim), "=", 0),
	).Then(
		clientv3.OpPut(m.keys.claim, encodeRoster(m.d.cfg.Namespace, m.inst.ID, st), clientv3.WithLease(lease)),
	).Commit()
	if err != nil || !t.Succeeded {
		m.d.dropClaim(ctx, h, m.keys.claim)
	}
	return err
}

// renewOnce renews a lease once. The client's own way of doing that tries again without a pause.
func renewOnce(ctx context.Context, h *handle, lease int64) error {
	ctx, cancel := context.WithCancel(ctx) // ends the stream
	defer cancel()
	stream, err := pb.NewLeaseClient(h.cli.ActiveConnection()).LeaseKeepAlive(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: lease}); err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}

// ownClaim reports whether a claim is this instance's.
func (m *membership) ownClaim(kv *mvccpb.KeyValue) bool {
	e, ok := decodeRoster(m.d.cfg.Namespace, kv.Value)
	return ok && e.ID == m.inst.ID
}

// contested takes in whose claim waits for this instance's address, or that none does.
func (m *membership) contested(kv *mvccpb.KeyValue) {
	rival := ""
	if kv != nil {
		e, ok := decodeRoster(m.d.cfg.Namespace, kv.Value)
		switch {
		case !ok:
			m.d.complain(string(kv.Key), noEntry)
		case e.ID != m.inst.ID:
			rival = fmt.Sprintf("%s, a live process, waits for this address: two advertise it; stop one of them or set another MUSTER_ADVERTISE_ADDR", e.ID)
		}
	}
	m.say(func(*naming.Notice) { m.rival = rival })
}

// noteClaim remembers the lease of a claim for its end. It refuses after Close.
func (d *Driver) noteClaim(key string, lease clientv3.LeaseID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.claims == nil {
		return false
	}
	d.claims[key] = lease
	return true
}

// dropClaim takes a claim back, if there is one, and does not wait for it. Where etcd does not answer it runs out.
func (d *Driver) dropClaim(ctx context.Context, h *handle, key string) {
	d.mu.Lock()
	lease, ok := d.claims[key]
	delete(d.claims, key)
	d.mu.Unlock()
	if ok {
		d.wg.Go(func() { d.disown(ctx, h, lease) })
	}
}

// dropClaims takes all of them back, within ctx.
func (d *Driver) dropClaims(ctx context.Context) {
	d.mu.Lock()
	claims := d.claims
	d.claims = nil
	d.mu.Unlock()
	if len(claims) == 0 {
		return
	}
	h, err := d.conn.get(ctx)
	if err != nil {
		return
	}
	var wg sync.WaitGroup
	for _, lease := range claims {
		wg.Go(func() { _, _ = h.cli.Revoke(ctx, lease) })
	}
	wg.Wait()
}
