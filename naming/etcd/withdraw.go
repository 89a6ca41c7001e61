package etcd

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

const (
	// maxWitnesses keeps a withdrawal within etcd's 128 operations for one transaction.
	maxWitnesses = 110
	// A contender that loses a race looks again after a random part of a pause, which doubles. It begins with the time that
	// a third of all who serve would take, one transaction after another: shorter pauses make more requests, and longer ones
	// settle later. It ends with raceEach for each who serves: among few, who has lost often would else wait for nobody.
	raceMin, raceEach, raceMax = 2 * time.Millisecond, 4 * time.Millisecond, 200 * time.Millisecond
)

// Withdraw implements naming.Membership.
//
// One read takes the counts and the guard. The withdrawal commits only if the guard is unchanged: every join, publication,
// withdrawal and leave changes it. The end of a lease changes nothing, so the commit also compares that as many others as
// the floor needs still serve; where these are too many for one transaction it counts again within the transaction, and
// publishes again if there are too few.
//
// An etcd that is out of space only deletes: see tryDelete. The status is not written then, and the error says so.
func (m *membership) Withdraw(ctx context.Context, floor naming.Floor, onWithdrawn, onHeld naming.Status) (naming.Outcome, error) {
	h, end, err := m.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	if !m.unsure && (m.marked || !m.listed) {
		return naming.Withdrawn, m.unlist(ctx, h, onWithdrawn)
	}
	c, err := m.count(ctx, h)
	lost, pause := false, time.Duration(0)
	for err == nil {
		// The truth, where an answer was lost before.
		m.listed, m.marked, m.wrote[m.keys.roster] = c.self == m.s.id, c.marked, c.roster
		p, permitted := c.premises(floor)
		switch {
		case m.marked || !m.listed:
			return naming.Withdrawn, m.unlist(ctx, h, onWithdrawn)
		case !permitted:
			return naming.Held, m.hold(ctx, h, onHeld)
		case c.roster == 0: // deleted by hand; it is back in a moment
			return 0, errChanged
		case lost:
			wait(ctx, rand.N(pause))
			c, err = m.count(ctx, h) // what the lost transaction found is old by now
			lost = false
			continue
		}
		began := time.Now()
		var t *clientv3.TxnResponse
		if t, err = m.tryWithdraw(ctx, h, p, onWithdrawn); err != nil {
			break
		}
		if t.Succeeded {
			if p.short(&c, recounted(t)) { // by deaths in between
				return naming.Held, m.hold(ctx, h, onHeld)
			}
			return naming.Withdrawn, m.unlist(ctx, h, onWithdrawn)
		}
		c, lost = m.counted(t), true
		most := min(raceEach*time.Duration(c.Serving), raceMax)
		pause = max(min(max(2*pause, time.Since(began)*time.Duration(c.Serving)/3), most), raceMin)
	}
	return 0, err
}

// tryWithdraw marks the serving value as leaving, if the premises hold, and counts anew if they don't.
func (m *membership) tryWithdraw(ctx context.Context, h *handle, p premises, st naming.Status) (*clientv3.TxnResponse, error) {
	value, err := encodeServing(m.d.cfg.Namespace, m.inst, stateLeaving)
	if err != nil {
		return nil, err
	}
	cmps := []clientv3.Cmp{
		m.ours(m.keys.serving),
		m.unchanged(),
		clientv3.Compare(clientv3.ModRevision(m.keys.guard), "=", p.guard),
	}
	for _, w := range p.witnesses {
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(w.key), "=", w.rev))
	}
	ops := []clientv3.Op{
		clientv3.OpPut(m.keys.serving, value, clientv3.WithLease(m.s.id)),
		m.putRoster(st),
		m.bump(),
	}
	if p.recount {
		ops = append(ops, clientv3.OpGet(m.d.keys.serving(m.inst.Service), clientv3.WithPrefix(), clientv3.WithCountOnly()))
	}
	t, err := m.commitOr(ctx, h, cmps, m.counting(), ops...)
	if errors.Is(err, rpctypes.ErrNoSpace) && !p.recount {
		return m.tryDelete(ctx, h, cmps, st)
	}
	if err == nil && t.Succeeded {
		m.status, m.serving, m.marked, m.unsure = st, false, true, false
	}
	return t, err
}

// tryDelete withdraws without a mark, a status and a change of the guard, for an etcd that is out of space: it still deletes,
// but writes nothing. What keeps two contenders apart are the witnesses alone. Whoever commits has compared that as many
// others as the floor needs still serve, which its own withdrawal does not change; and whose key is gone is nobody's witness.
// (Where they don't fit one transaction, only a publication could put a withdrawal right that went too far; so there is none.)
//
// The roster says something else until there is space again, so the membership stays unsure, and a Withdraw that is repeated
// writes it. No slow transaction of before can list the instance until then: none is run that writes.
func (m *membership) tryDelete(ctx context.Context, h *handle, cmps []clientv3.Cmp, st naming.Status) (*clientv3.TxnResponse, error) {
	t, err := m.commitOr(ctx, h, cmps, m.counting(), clientv3.OpDelete(m.keys.serving))
	if err == nil && t.Succeeded {
		m.log.Warn("withdrew without a notice: etcd is out of space; this instance can't be listed again until it has some")
		m.status, m.serving, m.listed, m.marked, m.unsure = st, false, false, false, true
	}
	return t, err
}

// recounted returns how many keys a withdrawal with a recount has found.
func recounted(t *clientv3.TxnResponse) int64 {
	return t.Responses[len(t.Responses)-1].GetResponseRange().GetCount()
}

// unlist deletes the serving key, which has been marked or was never there, and writes the status.
func (m *membership) unlist(ctx context.Context, h *handle, st naming.Status) error {
	m.serving = false
	cmps := []clientv3.Cmp{m.ours(m.keys.serving), m.unchanged()}
	for n := 0; m.marked; n++ {
		t, err := m.commit(ctx, h, cmps, clientv3.OpDelete(m.keys.serving))
		if err != nil {
			return err
		}
		roster, serving := first(t, 0), first(t, 1)
		switch {
		case t.Succeeded, serving == nil, clientv3.LeaseID(serving.Lease) != m.s.id:
			m.listed, m.marked = false, false
		case n == tries:
			return errChanged
		case roster != nil && clientv3.LeaseID(roster.Lease) == m.s.id:
			cmps = append(cmps[:1], clientv3.Compare(clientv3.ModRevision(m.keys.roster), "=", roster.ModRevision))
		default: // the entry is gone, or another's: the write below finds out which
			cmps = cmps[:1]
		}
	}
	if !m.unsure && sameStatus(m.status, st) {
		return nil
	}
	m.status = st
	err := m.write(ctx, h)
	m.unsure = err != nil
	return err
}

// unlistStray takes away a serving key that is our own and not wanted: it came back with older data of etcd's, or a publication
// that had been given up was carried out after all. A stranger's stays.
func (m *membership) unlistStray(ctx context.Context, h *handle) error {
	t, err := m.mark(ctx, h)
	switch {
	case err != nil && !errors.Is(err, rpctypes.ErrNoSpace):
		return err
	case err == nil && !t.Succeeded:
		if first(t, 1) == nil {
			m.say(func(*naming.Notice) { m.stranger = "" })
		}
		return nil
	}
	_, err = m.commit(ctx, h, []clientv3.Cmp{m.ours(m.keys.serving)}, clientv3.OpDelete(m.keys.serving))
	if err == nil {
		m.listed, m.marked = false, false
		m.log.Warn("took this instance's serving key away, which had come back though it is not to be listed")
	}
	return err
}

// hold keeps the instance listed as it was and says on the roster that it is held. Whether clients are to know that it is
// degraded is the caller's to say.
func (m *membership) hold(ctx context.Context, h *handle, st naming.Status) error {
	if m.marked || m.unsure {
		m.status, m.serving = st, true
		return m.write(ctx, h)
	}
	if sameStatus(m.status, st) {
		return nil
	}
	return m.annotate(ctx, h, st)
}
