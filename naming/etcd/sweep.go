package etcd

import (
	"context"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// leftover is a membership that may have left keys behind, on a lease that others keep alive: etcd did not answer its join,
// or its leave, and may have done all of it, a part, or nothing.
type leftover struct {
	keys memberKeys
	id   string // the instance's
}

// sweep deletes what a leave could not delete while etcd was away, and what the living lease would keep listed. It does so
// beside the renewals, which must not wait for it.
func (s *session) sweep(h *handle) {
	s.d.mu.Lock()
	debris := s.debris
	s.debris = nil
	s.d.mu.Unlock()
	if len(debris) == 0 {
		return
	}
	s.d.wg.Go(func() {
		for _, l := range debris {
			if err := s.clean(s.ctx, h, l); err != nil {
				s.litter(l)
			}
		}
	})
}

// clean deletes the keys of a leftover that are on this lease and still those of its instance: the address may have been
// joined anew, by this process too, and then these are the new membership's.
func (s *session) clean(ctx context.Context, h *handle, l leftover) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	s.d.mu.Lock()
	_, taken := s.d.members[l.keys.roster]
	s.d.mu.Unlock()
	if taken {
		return nil
	}
	t, err := h.Txn(ctx).Then(clientv3.OpGet(l.keys.roster), clientv3.OpGet(l.keys.serving)).Commit()
	if err != nil {
		return err
	}
	for n := range 2 {
		kv := first(t, n)
		if kv == nil || clientv3.LeaseID(kv.Lease) != s.id {
			continue
		}
		id := servingID(kv)
		if e, ok := decodeRoster(s.d.cfg.Namespace, kv.Value); n == 0 && ok {
			id = e.ID
		}
		if id != l.id {
			continue
		}
		if _, err := h.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(string(kv.Key)), "=", kv.ModRevision)).
			Then(clientv3.OpDelete(string(kv.Key))).Commit(); err != nil {
			return err
		}
	}
	return nil
}

// litter notes a membership whose keys are to be deleted at the next renewal.
func (s *session) litter(l leftover) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if !slices.Contains(s.debris, l) { // a join that fails is tried again and again
		s.debris = append(s.debris, l)
	}
}
