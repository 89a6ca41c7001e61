package etcd

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

// keep watches the instance's own keys until the membership ends, so that one that was deleted or overwritten from outside
// is mended at once, and an operator's order is heard. from is the revision of the join.
func (m *membership) keep(from int64) {
	k := &keeper{m: m, trouble: map[string]int64{}}
	follow(m.ctx, m.d.conn, follower{
		name: m.keys.roster, keys: []string{m.keys.serving, m.keys.roster, m.keys.operator, m.keys.claim}, from: from, spread: ownSpread,
		read: k.read, apply: k.apply, settle: k.settle,
	})
	cause := context.Cause(m.ctx)
	if errors.Is(cause, context.Canceled) {
		cause = naming.ErrLeft // the membership ended by itself, and has its error already
	}
	m.finish(cause)
	m.s.depart(m.keys)
	if errors.Is(m.Err(), naming.ErrLeft) {
		return // Leave gives the session back itself, within its own time
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.ctx), closeTimeout)
	defer cancel()
	h, _ := m.d.conn.get(ctx)
	_ = m.release(ctx, h)
}

// keeper is the state of keep; its goroutine owns it.
type keeper struct {
	m *membership
	// trouble holds, by key, the revision at which somebody else may have touched an own key.
	trouble map[string]int64
}

func (k *keeper) read(ctx context.Context, h *handle) (int64, error) {
	m := k.m
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	select { // before the read: nothing is to be written between it and what it is compared with
	case m.op <- struct{}{}:
		defer func() { <-m.op }()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	r, err := h.Txn(ctx).Then(m.keys.all()...).Commit()
	if err != nil {
		return 0, err
	}
	m.order(first(r, 2))
	m.contested(first(r, 3))
	for i, key := range []string{m.keys.roster, m.keys.serving} {
		kv := first(r, i)
		if kv != nil && kv.ModRevision == m.wrote[key] && clientv3.LeaseID(kv.Lease) == m.s.id {
			continue // as it was written
		}
		delete(m.wrote, key) // where history was lost, that is gone, whatever revision it had
		k.trouble[key] = r.Header.Revision
	}
	return r.Header.Revision, nil
}

func (k *keeper) apply(events []*clientv3.Event) {
	m := k.m
	for _, e := range events {
		key, now := string(e.Kv.Key), e.Kv
		if e.Type == clientv3.EventTypeDelete {
			now = nil
		}
		switch {
		case key == m.keys.operator:
			m.order(now)
		case key == m.keys.claim:
			m.contested(now)
		default: // mostly the echo of an own write, which settle knows
			k.trouble[key] = e.Kv.ModRevision
		}
	}
}

// settle mends what others did to the own keys, and what a request of the membership's own did that was given up.
func (k *keeper) settle(ctx context.Context, _ int64) error {
	if len(k.trouble) == 0 {
		return nil
	}
	m := k.m
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	h, end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	for key, rev := range k.trouble {
		if rev <= m.wrote[key] {
			delete(k.trouble, key) // the echo of an own write, or mended by a later one
		}
	}
	if _, ok := k.trouble[m.keys.serving]; ok && !m.serving {
		if err := m.unlistStray(ctx, h); err != nil {
			return err
		}
		delete(k.trouble, m.keys.serving)
	}
	if len(k.trouble) == 0 {
		return nil
	}
	if err := m.write(ctx, h); err != nil && !errors.Is(err, errConflict) {
		return err
	}
	clear(k.trouble)
	return nil
}
