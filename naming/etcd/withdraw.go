package etcd

import (
	"context"
	"math/rand/v2"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

const (
	// maxWitnesses keeps a withdrawal within etcd's 128 operations for one transaction.
	maxWitnesses = 110
	// Contenders that lose a race look again after this, doubling, with full jitter.
	raceBase, raceMax = 2 * time.Millisecond, 100 * time.Millisecond
)

// Withdraw implements naming.Membership.
//
// One read takes the counts and the guard. The withdrawal commits only if the guard is unchanged: every join, publication,
// withdrawal and leave changes it. The end of a lease changes nothing, so the commit also compares that as many others as
// the floor needs still serve; where these are too many for one transaction it counts again after the fact, within the same
// transaction, and publishes again if there are too few.
func (m *membership) Withdraw(ctx context.Context, floor naming.Floor, onWithdrawn, onHeld naming.Status) (naming.Outcome, error) {
	h, end, err := m.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	for pause := raceBase; ; pause = min(2*pause, raceMax) {
		if m.marked || !m.listed {
			return naming.Withdrawn, m.unlist(ctx, h, onWithdrawn)
		}
		c, err := m.count(ctx, h)
		if err != nil {
			return 0, err
		}
		if c.self != m.s.id { // the own key is gone or another's
			m.listed = false
			continue
		}
		if !floor.Permits(c.Census, c.selfUnfit) {
			return naming.Held, m.hold(ctx, h, onHeld)
		}
		ok, err := m.tryWithdraw(ctx, h, floor, c, onWithdrawn)
		if err != nil {
			return 0, err
		}
		if ok && !m.marked { // below the floor by a death in between; published again
			return naming.Held, m.hold(ctx, h, onHeld)
		}
		if !ok {
			wait(ctx, rand.N(pause))
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
	}
}

// tryWithdraw marks the serving value as leaving, unless the guard or a witness has changed.
func (m *membership) tryWithdraw(ctx context.Context, h *handle, floor naming.Floor, c count, st naming.Status) (bool, error) {
	value, err := encodeServing(m.d.cfg.Namespace, m.inst, stateLeaving)
	if err != nil {
		return false, err
	}
	need := floor.Need(c.Alive)
	cmps := []clientv3.Cmp{
		m.ours(m.keys.serving),
		m.ours(m.keys.roster),
		clientv3.Compare(clientv3.ModRevision(m.keys.guard), "=", c.guard),
	}
	ops := []clientv3.Op{
		clientv3.OpPut(m.keys.serving, value, clientv3.WithLease(m.s.id)),
		m.putRoster(st),
		m.bump(),
	}
	recount := need > maxWitnesses
	if recount {
		ops = append(ops, clientv3.OpGet(m.d.keys.serving(m.inst.Service), clientv3.WithPrefix(), clientv3.WithCountOnly()))
	} else {
		for _, key := range c.witnesses(need) {
			cmps = append(cmps, clientv3.Compare(clientv3.CreateRevision(key), ">", 0))
		}
	}
	t, err := m.commit(ctx, h, cmps, ops...)
	if err != nil || !t.Succeeded {
		return false, err
	}
	m.status, m.serving, m.marked = st, false, true
	if recount {
		// Only the end of leases can have changed the number of keys since the read: the guard says so.
		gone := c.keys - t.Responses[len(t.Responses)-1].GetResponseRange().GetCount()
		if c.Serving-1-int(gone) < need {
			m.serving = true
			return true, m.write(ctx, h)
		}
	}
	return true, nil
}

// unlist deletes the serving key, which has been marked or was never there, and writes the status.
func (m *membership) unlist(ctx context.Context, h *handle, st naming.Status) error {
	m.serving = false
	if m.marked {
		_, err := m.commit(ctx, h, []clientv3.Cmp{m.ours(m.keys.serving)}, clientv3.OpDelete(m.keys.serving))
		if err != nil {
			return err
		}
		m.listed, m.marked = false, false
	}
	if sameStatus(m.status, st) {
		return nil
	}
	m.status = st
	return m.write(ctx, h)
}

// hold keeps the instance listed and says on the roster that it is held.
func (m *membership) hold(ctx context.Context, h *handle, st naming.Status) error {
	if m.serving && m.degraded && sameStatus(m.status, st) {
		return nil
	}
	m.status, m.serving, m.degraded = st, true, true
	return m.write(ctx, h)
}
