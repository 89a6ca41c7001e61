package etcd

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

// errConflict answers a Publish while a stranger holds the serving key.
var errConflict = errors.New("etcd: a stranger writes this instance's serving key; see the conflict in the log")

// membership implements naming.Membership.
type membership struct {
	d    *Driver
	s    *session
	inst naming.Instance
	keys memberKeys
	log  *slog.Logger

	changed chan struct{}
	done    chan struct{}

	// ctx ends with the membership, or with its session.
	ctx    context.Context
	cancel context.CancelFunc
	giveUp sync.Once

	// op is held during every call that writes, so that the gate's wishes and the keeper's repairs come one after another.
	// It guards everything up to mu.
	op       chan struct{}
	status   naming.Status
	serving  bool             // wanted
	degraded bool             // wanted
	listed   bool             // the serving key is there and our own, as far as is known
	marked   bool             // it says leaving
	unsure   bool             // a transaction got no answer: what is known of the keys may be wrong
	tookBack bool             // a stranger's value has been replaced once
	wrote    map[string]int64 // by key, the revision of the last own write

	// mu guards everything that follows.
	mu       sync.Mutex
	notice   naming.Notice
	stranger string // who writes the serving key
	rival    string // who waits for the address
	err      error
}

var _ naming.Membership = (*membership)(nil)

func newMembership(d *Driver, s *session, inst naming.Instance, keys memberKeys) *membership {
	ctx, cancel := context.WithCancel(s.ctx)
	return &membership{
		d: d, s: s, inst: inst, keys: keys, log: d.logFor(inst), ctx: ctx, cancel: cancel,
		changed: make(chan struct{}, 1), done: make(chan struct{}), op: make(chan struct{}, 1), wrote: map[string]int64{},
	}
}

func (m *membership) Done() <-chan struct{} { return m.done }

func (m *membership) Changed() <-chan struct{} { return m.changed }

func (m *membership) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// finish ends the membership; the first cause stays. The address is free before anybody can know.
func (m *membership) finish(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.err = err
		m.d.unreserve(m.keys.roster)
		m.cancel()
		close(m.done)
	}
}

// release gives the session back, once.
func (m *membership) release(ctx context.Context, h *handle) (err error) {
	m.giveUp.Do(func() { err = m.s.release(ctx, h) })
	return err
}

// begin takes the right to write and the client. end must be called after it.
func (m *membership) begin(ctx context.Context) (h *handle, end func(), err error) {
	select {
	case m.op <- struct{}{}:
	case <-m.done:
		return nil, nil, m.Err()
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	end = func() { <-m.op }
	if err := m.Err(); err != nil {
		end()
		return nil, nil, err
	}
	h, err = m.d.conn.get(ctx)
	if err != nil {
		end()
		return nil, nil, err
	}
	return h, end, nil
}

// Publish implements naming.Membership.
func (m *membership) Publish(ctx context.Context, st naming.Status, degraded bool) error {
	h, end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if m.serving && m.listed && !m.marked && m.degraded == degraded && !m.unsure && sameStatus(m.status, st) {
		return nil
	}
	m.status, m.serving, m.degraded = st, true, degraded
	return m.write(ctx, h)
}

// Annotate implements naming.Membership.
func (m *membership) Annotate(ctx context.Context, st naming.Status) error {
	h, end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return m.annotate(ctx, h, st)
}

func (m *membership) annotate(ctx context.Context, h *handle, st naming.Status) error {
	m.status = st
	t, err := m.commit(ctx, h, []clientv3.Cmp{m.unchanged()}, m.putRoster(st))
	if err == nil && !t.Succeeded {
		err = m.write(ctx, h) // the roster key is gone or another's: find out which
	}
	return err
}

// Leave implements naming.Membership.
func (m *membership) Leave(ctx context.Context) error {
	h, end, err := m.begin(ctx)
	if m.Err() != nil {
		return nil
	}
	if err == nil {
		defer end()
		err = m.erase(ctx, h)
	}
	if err != nil {
		m.s.litter(m.keys)
	}
	m.finish(naming.ErrLeft)
	if rerr := m.release(ctx, h); err == nil {
		err = rerr
	}
	return err
}

// erase announces the leave and deletes what is our own, in two transactions: etcd refuses to write one key twice in one. An
// etcd that is out of space does nothing but delete; then the leave looks like the end of a lease, which changes no guard
// either.
func (m *membership) erase(ctx context.Context, h *handle) error {
	if (m.listed || m.unsure) && !m.marked {
		if _, err := m.mark(ctx, h); err != nil && !errors.Is(err, rpctypes.ErrNoSpace) {
			return err
		}
	}
	del := func(key string) clientv3.Op {
		return clientv3.OpTxn([]clientv3.Cmp{m.ours(key)}, []clientv3.Op{clientv3.OpDelete(key)}, nil)
	}
	_, err := m.commit(ctx, h, nil, del(m.keys.serving), del(m.keys.roster), m.bump())
	if errors.Is(err, rpctypes.ErrNoSpace) {
		_, err = m.commit(ctx, h, nil, del(m.keys.serving), del(m.keys.roster))
	}
	return err
}

func sameStatus(a, b naming.Status) bool {
	return a.State == b.State && a.Unfit == b.Unfit && a.Version == b.Version && a.Started.Equal(b.Started) &&
		maps.Equal(a.Probes, b.Probes)
}
