package etcd

import (
	"context"
	"encoding/json"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

// strangerID stands for a holder that has no instance id.
const strangerID = "a stranger"

// belief is what a write holds to be there beside the membership's own fields, and fences itself by.
type belief struct {
	rosterGone bool
	replace    int64 // the revision of a serving value that is not our own and is to be replaced
}

// write makes etcd say what the membership wants, fenced by what is believed to be there. Where the belief was wrong the
// transaction answers with the truth, and it is decided anew whose keys these are.
func (m *membership) write(ctx context.Context, h *handle) error {
	var b belief
	for range tries {
		cmps, ops, err := m.wish(b)
		if err != nil {
			return err
		}
		t, err := m.commit(ctx, h, cmps, ops...)
		if err != nil {
			return err
		}
		if t.Succeeded {
			if m.serving {
				m.listed, m.marked, m.unsure = true, false, false
				m.say(func(*naming.Notice) { m.stranger = "" })
			}
			return nil
		}
		if b, err = m.learn(ctx, h, first(t, 0), first(t, 1)); err != nil {
			return err
		}
	}
	return errChanged
}

// wish returns the transaction that writes what is wanted.
func (m *membership) wish(b belief) ([]clientv3.Cmp, []clientv3.Op, error) {
	cmps := []clientv3.Cmp{m.unchanged()}
	if b.rosterGone {
		cmps[0] = clientv3.Compare(clientv3.CreateRevision(m.keys.roster), "=", 0)
	}
	ops := []clientv3.Op{m.putRoster(m.status)}
	if !m.serving {
		if b.rosterGone { // one more is alive than a withdrawal may have counted
			ops = append(ops, m.bump())
		}
		return cmps, ops, nil
	}
	state := ""
	if m.degraded {
		state = stateDegraded
	}
	value, err := encodeServing(m.d.cfg.Namespace, m.inst, state)
	if err != nil {
		return nil, nil, err
	}
	if m.listed {
		cmps = append(cmps, m.ours(m.keys.serving))
	} else {
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(m.keys.serving), "=", b.replace))
	}
	ops = append(ops, clientv3.OpPut(m.keys.serving, value, clientv3.WithLease(m.s.id)), m.bump())
	return cmps, ops, nil
}

// learn takes in what is really there. It ends the membership where the address is another's by now.
func (m *membership) learn(ctx context.Context, h *handle, roster, serving *mvccpb.KeyValue) (b belief, err error) {
	if by := m.holder(roster, nil); by != "" {
		err := &naming.TakenError{Service: m.inst.Service, Addr: m.inst.Addr, By: by}
		m.log.Error("another process has claimed this address; waiting until it is gone", "by", by)
		_ = m.erase(ctx, h) // a serving key that is still our own would outlive us on the process's lease
		m.finish(err)
		return b, err
	}
	m.listed = serving != nil && clientv3.LeaseID(serving.Lease) == m.s.id
	if serving != nil && !m.listed {
		if err := m.mayReplace(serving); err != nil {
			return b, err
		}
		b.replace = serving.ModRevision
	}
	b.rosterGone = roster == nil || clientv3.LeaseID(roster.Lease) != m.s.id
	if !b.rosterGone {
		m.wrote[m.keys.roster] = roster.ModRevision
	}
	if roster != nil && b.rosterGone { // our own value under a lease of before, or what is no instance's
		return b, m.drop(ctx, h, roster)
	}
	return b, nil
}

// mayReplace decides about a serving value that is not our own. It is taken back once: a process that was restarted under
// another registry plug-in leaves one behind. A stranger who writes it again is reported, not fought.
func (m *membership) mayReplace(kv *mvccpb.KeyValue) error {
	by := servingID(kv)
	if by == m.inst.ID {
		return nil
	}
	if by == "" {
		by = strangerID
	}
	if !m.tookBack {
		m.tookBack = true
		m.log.Warn("replaced a serving value that somebody else wrote at this instance's address", "by", by)
		return nil
	}
	what := fmt.Sprintf("the serving key is written by %s", by)
	if m.Notice().Conflict != what {
		m.log.Error("somebody else keeps writing this instance's serving key; find it and stop it, or advertise another address", "by", by)
	}
	m.say(func(*naming.Notice) { m.stranger = what })
	return errConflict
}

// drop deletes one value at its revision, so that it can be written anew under our own lease.
func (m *membership) drop(ctx context.Context, h *handle, kv *mvccpb.KeyValue) error {
	_, err := m.commit(ctx, h,
		[]clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(m.keys.roster), "=", kv.ModRevision)},
		clientv3.OpDelete(m.keys.roster))
	return err
}

// holder returns who else holds the address, or "". What is no instance of this namespace holds nothing, so that junk on the
// roster can't keep anybody out.
func (m *membership) holder(roster, serving *mvccpb.KeyValue) string {
	if m.anothers(roster) {
		if e, ok := decodeRoster(m.d.cfg.Namespace, roster.Value); ok && e.ID != m.inst.ID {
			return e.ID
		}
	}
	if m.anothers(serving) {
		i, _, err := decodeServing(m.d.cfg.Namespace, m.inst.Service, m.inst.Addr, serving.Value)
		switch {
		case err == nil && i.ID == "":
			return strangerID
		case err == nil && i.ID != m.inst.ID:
			return i.ID
		}
	}
	return ""
}

// anothers reports whether a value is on another process's lease. One without a lease was written by hand.
func (m *membership) anothers(kv *mvccpb.KeyValue) bool {
	return kv != nil && kv.Lease != 0 && clientv3.LeaseID(kv.Lease) != m.s.id
}

// servingID returns the instance id in a serving value, or "" where it has none.
func servingID(kv *mvccpb.KeyValue) string {
	if kv == nil || len(kv.Value) > maxValue {
		return ""
	}
	var w wireInstance
	if json.Unmarshal(kv.Value, &w) != nil || len(w.Tags[tagID]) > maxID {
		return ""
	}
	return w.Tags[tagID]
}
