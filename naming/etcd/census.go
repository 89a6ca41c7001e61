package etcd

import (
	"context"
	"fmt"
	"math/rand/v2"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

// count is a census and what a withdrawal needs to hold it against a changing world.
type count struct {
	naming.Census
	guard     int64            // the guard's revision
	roster    int64            // of the own roster entry; 0 where there is none
	self      clientv3.LeaseID // of the own serving key; 0 where there is none
	marked    bool             // the own serving key says leaving
	selfUnfit bool             // the census counts the asking instance among the unfit
	keys      int64            // all keys below the serving prefix, valid or not
	others    []witness        // the others that serve
}

// witness is another instance's serving key, as it was counted.
type witness struct {
	key string
	rev int64
}

// premises is what must still be true when a withdrawal commits, so that it leaves as many serving as the floor needs,
// whatever has happened since the count. The model of the protocol shares it with the driver.
type premises struct {
	// guard is unchanged: nobody has joined, published, withdrawn or left.
	guard int64
	// witnesses are unchanged: the end of a lease, which changes no guard, has taken none of these.
	witnesses []witness
	// recount says that so many witnesses don't fit one transaction: count what is left in it.
	recount bool
	need    int
}

// premises decides whether an instance may try to withdraw, and what its transaction must compare. The witnesses are the
// first of the others; the caller shuffles these.
func (c *count) premises(f naming.Floor) (p premises, permitted bool) {
	p = premises{guard: c.guard, need: f.Need(c.Alive)}
	switch {
	case !f.Permits(c.Census, c.selfUnfit):
		return premises{}, false
	case f.Strict():
	case p.need > maxWitnesses:
		p.recount = true
	default:
		p.witnesses = c.others[:p.need]
	}
	return p, true
}

// short reports whether a recounted withdrawal has left too few: left is how many keys the transaction found. Only the end
// of leases can have changed their number since the count, as the guard tells.
func (p premises) short(c *count, left int64) bool {
	return p.recount && c.Serving-1-int(c.keys-left) < p.need
}

// Census implements naming.Membership.
func (m *membership) Census(ctx context.Context) (naming.Census, error) {
	h, end, err := m.begin(ctx)
	if err != nil {
		return naming.Census{}, err
	}
	defer end()
	c, err := m.count(ctx, h)
	return c.Census, err
}

// count reads the guard, the roster and the serving keys at one revision.
func (m *membership) count(ctx context.Context, h *handle) (count, error) {
	t, err := h.Txn(ctx).Then(m.counting()...).Commit()
	if err != nil {
		return count{}, fmt.Errorf("etcd: count of %s: %w", m.inst.Service, err)
	}
	return m.counted(t), nil
}

// counting are the operations whose answers counted reads.
func (m *membership) counting() []clientv3.Op {
	return []clientv3.Op{
		clientv3.OpGet(m.keys.guard),
		clientv3.OpGet(m.d.keys.roster(m.inst.Service), clientv3.WithPrefix()),
		clientv3.OpGet(m.d.keys.serving(m.inst.Service), clientv3.WithPrefix()),
	}
}

func (m *membership) counted(t *clientv3.TxnResponse) count {
	dir, rosterDir := m.d.keys.serving(m.inst.Service), m.d.keys.roster(m.inst.Service)
	c := count{guard: modRevision(first(t, 0))}
	alive := map[string]string{} // address to instance id
	for _, kv := range t.Responses[1].GetResponseRange().Kvs {
		addr, ok := addrOf(rosterDir, kv.Key)
		if !ok {
			m.d.complain(string(kv.Key), noAddress)
			continue
		}
		e, ok := decodeRoster(m.d.cfg.Namespace, kv.Value)
		if !ok {
			m.d.complain(string(kv.Key), noEntry)
			continue
		}
		alive[addr] = e.ID
		if addr == m.inst.Addr && clientv3.LeaseID(kv.Lease) == m.s.id {
			c.roster = kv.ModRevision
		}
		if e.Unfit {
			c.Unfit++
			c.selfUnfit = c.selfUnfit || addr == m.inst.Addr
		}
	}
	c.Alive = len(alive)
	serving := t.Responses[2].GetResponseRange()
	c.keys = serving.Count
	for _, kv := range serving.Kvs {
		m.countServing(&c, kv, dir, alive)
	}
	rand.Shuffle(len(c.others), func(i, j int) { c.others[i], c.others[j] = c.others[j], c.others[i] })
	return c
}

// countServing counts one serving key if it is a living instance's of Muster's that has not announced its leave.
func (m *membership) countServing(c *count, kv *mvccpb.KeyValue, dir string, alive map[string]string) {
	addr, ok := addrOf(dir, kv.Key)
	if !ok {
		m.d.complain(string(kv.Key), noAddress)
		return
	}
	inst, leaving, err := decodeServing(m.d.cfg.Namespace, m.inst.Service, addr, kv.Value)
	if err != nil {
		m.d.complain(string(kv.Key), err.Error())
		return
	}
	if inst.ID == "" {
		return
	}
	self := addr == m.inst.Addr && inst.ID == m.inst.ID
	if self {
		c.self, c.marked = clientv3.LeaseID(kv.Lease), leaving
	}
	if leaving || alive[addr] != inst.ID {
		return
	}
	c.Serving++
	if !self {
		c.others = append(c.others, witness{string(kv.Key), kv.ModRevision})
	}
}
