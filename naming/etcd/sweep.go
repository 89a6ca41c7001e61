package etcd

import (
	"context"
	"maps"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// debris are the keys of memberships that may have left some behind, by roster key, on a lease that others keep alive: etcd
// did not answer their join, or their leave, and may have done all of it, a part, or nothing.
type debris map[string]memberKeys

// sweep deletes what a leave could not delete while etcd was away, and what the living lease would keep listed. It does so
// beside the renewals, which must not wait for it.
func (s *session) sweep(h *handle) {
	s.d.mu.Lock()
	all := s.debris
	s.debris = debris{}
	s.d.mu.Unlock()
	if len(all) == 0 {
		return
	}
	s.d.wg.Go(func() {
		for _, keys := range all {
			if err := s.clean(s.ctx, h, keys); err != nil {
				s.litter(keys)
			}
		}
	})
}

// clean deletes those of the keys that are on this lease, unless the address has been joined anew: then these are the new
// membership's. One that joins meanwhile writes before the deletion, which does nothing then.
func (s *session) clean(ctx context.Context, h *handle, keys memberKeys) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	t, err := h.Txn(ctx).Then(clientv3.OpGet(keys.roster), clientv3.OpGet(keys.serving)).Commit()
	if err != nil {
		return err
	}
	s.d.mu.Lock()
	m, taken := s.d.members[keys.roster]
	s.d.mu.Unlock()
	if taken {
		if m == nil { // it is being joined, which may fail
			s.litter(keys)
		}
		return nil
	}
	for n := range 2 {
		kv := first(t, n)
		if kv == nil || clientv3.LeaseID(kv.Lease) != s.id {
			continue
		}
		if _, err := h.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(string(kv.Key)), "=", kv.ModRevision)).
			Then(clientv3.OpDelete(string(kv.Key))).Commit(); err != nil {
			return err
		}
	}
	return nil
}

// litter notes keys that are to be deleted at the next renewal.
func (s *session) litter(keys memberKeys) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.debris[keys.roster] = keys
}

// depart notes that a membership has ended while the lease may live on. Etcd's data may be restored from a time before that,
// with the lease and the keys.
func (s *session) depart(keys memberKeys) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.departed[keys.roster] = keys
}

// recheck has the keys of all who have departed looked at once more.
func (s *session) recheck() {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	maps.Copy(s.debris, s.departed)
}
