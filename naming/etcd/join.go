package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

// errChanged says that a transaction's premises changed under it time and again.
var errChanged = errors.New("etcd: the keys keep changing under the transaction")

// tries bounds how often one call looks again after losing a race; the caller tries again later anyhow.
const tries = 8

// Join implements naming.Registrar.
func (d *Driver) Join(ctx context.Context, c naming.Claim) (naming.Membership, error) {
	inst, err := c.Instance.Normalize()
	if err != nil {
		return nil, err
	}
	if inst.ID == "" || len(inst.ID) > maxID || !utf8.ValidString(inst.ID) {
		return nil, fmt.Errorf("%w: %s at %s has an ID of %d bytes: want 1 to %d of UTF-8", naming.ErrInvalid, inst.Service, inst.Addr, len(inst.ID), maxID)
	}
	if _, err := encodeServing(d.cfg.Namespace, inst, stateDegraded); err != nil {
		return nil, err
	}
	ctx, stop, err := d.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()

	keys := d.keys.member(inst.Service, inst.Addr)
	if err := d.reserve(keys.roster, inst); err != nil {
		return nil, err
	}
	m, err := d.join(ctx, inst, keys, c)
	if err != nil {
		d.unreserve(keys.roster)
		if rejected(err) {
			d.conn.doubt()
		}
		return nil, d.conn.explain(err)
	}
	return m, nil
}

// reserve refuses a second membership of one address in one process: their lease is the same, so nothing would fence them.
func (d *Driver) reserve(key string, i naming.Instance) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, taken := d.members[key]; taken {
		return fmt.Errorf("%w: %s has joined %s in this process already", naming.ErrInvalid, i.Addr, i.Service)
	}
	d.members[key] = nil
	return nil
}

func (d *Driver) unreserve(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.members, key)
}

func (d *Driver) join(ctx context.Context, inst naming.Instance, keys memberKeys, c naming.Claim) (*membership, error) {
	h, err := d.conn.get(ctx)
	if err != nil {
		return nil, err
	}
	s, err := d.session(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("etcd: lease: %w", err)
	}
	m := newMembership(d, s, inst, keys)
	rev, err := m.claim(ctx, h, c)
	if err != nil {
		if errors.Is(err, rpctypes.ErrLeaseNotFound) {
			s.lost()
		}
		s.litter(keys) // where others are on the lease: the claim may have been heard all the same
		// Where nobody else is on the lease, give it up, so that the next attempt takes a fresh one. On an etcd with roles, a lease
		// without keys is all that another namespace's user could still meddle with.
		d.wg.Go(func() {
			rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = s.release(rctx, h)
		})
		return nil, err
	}
	d.mu.Lock()
	closed := d.closed
	d.members[keys.roster] = m
	d.mu.Unlock()
	d.wg.Go(func() { m.keep(rev) })
	if closed { // Close has not seen this one
		lctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = m.Leave(lctx)
		return nil, naming.ErrClosed
	}
	return m, nil
}

// claim puts the instance on the roster. The first claim takes the address from whoever has it, along with the serving key
// of a Muster process that went before: the new process has yet to show that it is fit.
func (m *membership) claim(ctx context.Context, h *handle, c naming.Claim) (int64, error) {
	for range tries {
		r, err := h.Txn(ctx).Then(m.keys.all()...).Commit()
		if err != nil {
			return 0, fmt.Errorf("etcd: join: %w", err)
		}
		roster, serving, op, claim := first(r, 0), first(r, 1), first(r, 2), first(r, 3)
		holder := m.holder(roster, serving) // a stranger's value stays; Publish decides about it
		if c.Again && holder != "" {
			if holder != strangerID {
				m.contest(ctx, h, roster, claim, c.Status)
			}
			return 0, &naming.TakenError{Service: m.inst.Service, Addr: m.inst.Addr, By: holder}
		}
		cmps := []clientv3.Cmp{
			clientv3.Compare(clientv3.ModRevision(m.keys.roster), "=", modRevision(roster)),
			clientv3.Compare(clientv3.ModRevision(m.keys.serving), "=", modRevision(serving)),
			// The watch begins after the claim, and would not tell of what was written here, or taken back, before it.
			clientv3.Compare(clientv3.ModRevision(m.keys.operator), "=", modRevision(op)),
			clientv3.Compare(clientv3.ModRevision(m.keys.claim), "=", modRevision(claim)),
		}
		ops := []clientv3.Op{
			clientv3.OpPut(m.keys.roster, encodeRoster(m.d.cfg.Namespace, m.inst.ID, c.Status), clientv3.WithLease(m.s.id)),
			m.bump(),
		}
		if id := servingID(serving); id != "" && id != m.inst.ID {
			ops = append(ops, clientv3.OpDelete(m.keys.serving))
		}
		t, err := h.Txn(ctx).If(cmps...).Then(ops...).Commit()
		if err != nil {
			return 0, fmt.Errorf("etcd: join: %w", err)
		}
		if !t.Succeeded {
			continue
		}
		m.d.conn.sight.saw(t.Header.Revision)
		if holder != "" && holder != strangerID {
			m.log.Warn("claimed the address of another process, which either has ended or advertises it by mistake", "replaced", holder)
		}
		m.status = c.Status
		m.wrote[m.keys.roster] = t.Header.Revision
		m.order(op)
		m.contested(claim)
		m.d.dropClaim(ctx, h, m.keys.claim) // it need not wait any more
		return t.Header.Revision, nil
	}
	return 0, errChanged
}
