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
	self      clientv3.LeaseID // of the own serving key; 0 where there is none
	selfUnfit bool             // the census counts the asking instance among the unfit
	keys      int64            // all keys below the serving prefix, valid or not
	others    []string         // keys of the others that serve
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
	dir, rosterDir := m.d.keys.serving(m.inst.Service), m.d.keys.roster(m.inst.Service)
	t, err := h.Txn(ctx).Then(
		clientv3.OpGet(m.keys.guard),
		clientv3.OpGet(rosterDir, clientv3.WithPrefix()),
		clientv3.OpGet(dir, clientv3.WithPrefix())).Commit()
	if err != nil {
		return count{}, fmt.Errorf("etcd: count of %s: %w", m.inst.Service, err)
	}
	c := count{guard: modRevision(first(t, 0))}
	alive := map[string]string{} // address to instance id
	for _, kv := range t.Responses[1].GetResponseRange().Kvs {
		addr, ok := addrOf(rosterDir, kv.Key)
		e, known := decodeRoster(m.d.cfg.Namespace, kv.Value)
		if !ok || !known {
			continue
		}
		alive[addr] = e.ID
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
	return c, nil
}

// countServing counts one serving key if it is a living instance's of Muster's that has not announced its leave.
func (m *membership) countServing(c *count, kv *mvccpb.KeyValue, dir string, alive map[string]string) {
	addr, ok := addrOf(dir, kv.Key)
	if !ok {
		return
	}
	inst, leaving, err := decodeServing(m.d.cfg.Namespace, m.inst.Service, addr, kv.Value)
	if err != nil || leaving || inst.ID == "" || alive[addr] != inst.ID {
		return
	}
	c.Serving++
	if addr == m.inst.Addr {
		c.self = clientv3.LeaseID(kv.Lease)
	} else {
		c.others = append(c.others, string(kv.Key))
	}
}

// witnesses returns n of the others that serve, or all of them where they are fewer.
func (c count) witnesses(n int) []string {
	rand.Shuffle(len(c.others), func(i, j int) { c.others[i], c.others[j] = c.others[j], c.others[i] })
	return c.others[:min(n, len(c.others))]
}
