package etcd

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

// commit runs one transaction on own keys and ends the membership when etcd says that the lease is gone.
func (m *membership) commit(ctx context.Context, h *handle, cmps []clientv3.Cmp, then ...clientv3.Op) (*clientv3.TxnResponse, error) {
	return m.commitOr(ctx, h, cmps, []clientv3.Op{clientv3.OpGet(m.keys.roster), clientv3.OpGet(m.keys.serving)}, then...)
}

// commitOr is commit with another question to ask where the comparisons fail.
func (m *membership) commitOr(ctx context.Context, h *handle, cmps []clientv3.Cmp, otherwise []clientv3.Op, then ...clientv3.Op) (*clientv3.TxnResponse, error) {
	t, err := h.Txn(ctx).If(cmps...).Then(then...).Else(otherwise...).Commit()
	if err != nil {
		m.unsure = true
		if errors.Is(rpctypes.Error(err), rpctypes.ErrLeaseNotFound) {
			m.s.lost()
			m.finish(errLeaseGone)
		}
		return nil, fmt.Errorf("etcd: %s at %s: %w", m.inst.Service, m.inst.Addr, err)
	}
	m.d.conn.sight.saw(t.Header.Revision)
	if t.Succeeded {
		for _, op := range then {
			m.wrote[string(op.KeyBytes())] = t.Header.Revision
		}
	}
	return t, nil
}

// mark says in the serving key that the instance leaves, if the key is our own.
func (m *membership) mark(ctx context.Context, h *handle) (*clientv3.TxnResponse, error) {
	value, err := encodeServing(m.d.cfg.Namespace, m.inst, stateLeaving)
	if err != nil {
		return nil, err
	}
	return m.commit(ctx, h, []clientv3.Cmp{m.ours(m.keys.serving)},
		clientv3.OpPut(m.keys.serving, value, clientv3.WithLease(m.s.id)), m.bump())
}

// ours compares a key's lease with our own, which only this process uses.
func (m *membership) ours(key string) clientv3.Cmp {
	return clientv3.Compare(clientv3.LeaseValue(key), "=", m.s.id)
}

// unchanged compares the roster entry with what the membership itself wrote there last. Each write changes the entry, so a
// transaction that is so slow that the client has given it up, and asked for something else, does nothing when etcd runs it.
func (m *membership) unchanged() clientv3.Cmp {
	if rev := m.wrote[m.keys.roster]; rev > 0 {
		return clientv3.Compare(clientv3.ModRevision(m.keys.roster), "=", rev)
	}
	return m.ours(m.keys.roster)
}

func (m *membership) putRoster(st naming.Status) clientv3.Op {
	return clientv3.OpPut(m.keys.roster, encodeRoster(m.d.cfg.Namespace, m.inst.ID, st), clientv3.WithLease(m.s.id))
}

// bump changes the guard, so that every withdrawal which has read the counts before looks again.
func (m *membership) bump() clientv3.Op { return clientv3.OpPut(m.keys.guard, "1") }

// first returns the key that the n-th operation of a transaction read, or nil.
func first(t *clientv3.TxnResponse, n int) *mvccpb.KeyValue {
	if n < len(t.Responses) {
		if kvs := t.Responses[n].GetResponseRange().GetKvs(); len(kvs) > 0 {
			return kvs[0]
		}
	}
	return nil
}

func modRevision(kv *mvccpb.KeyValue) int64 {
	if kv == nil {
		return 0
	}
	return kv.ModRevision
}
