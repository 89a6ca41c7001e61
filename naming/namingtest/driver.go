package namingtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/muster-go/muster/naming"
)

var errAway = errors.New("namingtest: the registry does not answer")

// Driver is one process's driver of a [Registry]: a [naming.Registrar] and a [naming.Watcher].
type Driver struct {
	reg      *Registry
	ns       naming.Namespace
	features naming.Features
	closed   chan struct{}

	// Under the registry's lock.
	over     bool // Close was called
	members  map[*Membership]struct{}
	fault    Fault
	since    time.Time
	requests int64
}

var (
	_ naming.Registrar = (*Driver)(nil)
	_ naming.Watcher   = (*Driver)(nil)
)

// Features implements [naming.Registrar].
func (d *Driver) Features() naming.Features { return d.features }

// Scope implements [naming.Watcher].
func (d *Driver) Scope() string { return fmt.Sprintf("memory://%p/%s", d.reg, d.ns) }

// Requests returns how many requests this driver has made.
func (d *Driver) Requests() int64 {
	d.reg.mu.Lock()
	defer d.reg.mu.Unlock()
	return d.requests
}

// Link implements [naming.Watcher].
func (d *Driver) Link() naming.Link {
	d.reg.mu.Lock()
	defer d.reg.mu.Unlock()
	l := naming.Link{Up: d.requests > 0 && !d.cut(), Since: d.since}
	if d.cut() {
		l.Err = errAway
	}
	return l
}

// Close ends every membership, as Leave does, and every watch. Calling it again does nothing.
func (d *Driver) Close() error {
	r := d.reg
	r.mu.Lock()
	defer r.mu.Unlock()
	if d.over {
		return nil
	}
	d.over = true
	close(d.closed)
	delete(r.drivers, d)
	for m := range d.members {
		if !d.cut() {
			m.remove()
		}
		m.end(naming.ErrLeft)
	}
	return nil
}

// Join implements [naming.Registrar].
func (d *Driver) Join(ctx context.Context, c naming.Claim) (naming.Membership, error) {
	in, err := c.Instance.Normalize()
	switch {
	case err != nil:
		return nil, err
	case c.Instance.Network == "" || c.Instance.Weight == 0:
		return nil, fmt.Errorf("%w: the instance has not been normalized", naming.ErrInvalid)
	case in.ID == "":
		return nil, fmt.Errorf("%w: the instance has no ID", naming.ErrInvalid)
	}
	in.Tags, in.Degraded = maps.Clone(in.Tags), false
	m := &Membership{
		driver: d, at: place{d.ns, in.Service}, instance: in, status: c.Status,
		changed: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if err := d.request(ctx, func() error { return d.claim(m, c.Again) }); err != nil {
		d.reg.mu.Lock()
		defer d.reg.mu.Unlock()
		m.end(err) // what an unanswered request left behind is the lease's to take along
		return nil, err
	}
	return m, nil
}

// claim puts m on the roster, or says who keeps it off. The lock is held.
func (d *Driver) claim(m *Membership, again bool) error {
	r, s, addr := d.reg, d.reg.at(m.at), m.instance.Addr
	holder, listed := s.roster[addr], s.serving[addr]
	// What an earlier attempt of this process left behind is nobody else's.
	own := holder != nil && holder.driver == d
	taken := &naming.TakenError{Service: m.at.service, Addr: addr}
	switch {
	case own && holder.err == nil:
		return fmt.Errorf("%w: this process has joined %s at %s already", naming.ErrInvalid, m.at, addr)
	case again && holder != nil && !own:
		taken.By = holder.instance.ID
		return taken
	case again && listed != nil && listed.owner == nil:
		taken.By = "a stranger"
		return taken
	case holder != nil:
		holder.remove()
		taken.By = m.instance.ID
		if !own {
			r.history[len(r.history)-1].Kind = Taken
		}
		holder.end(taken)
	}
	r.commit(m.at, Event{Kind: Joined, Addr: addr, ID: m.instance.ID}, func(s *service) { s.roster[addr] = m })
	d.members[m] = struct{}{}
	m.hear()
	return nil
}

// request makes one request: it waits as long as the registry is broken, then runs op under the lock.
func (d *Driver) request(ctx context.Context, op func() error) error {
	r := d.reg
	r.mu.Lock()
	defer r.mu.Unlock()
	d.count()
	if err := d.travel(ctx); err != nil {
		return err
	}
	if d.over {
		return naming.ErrClosed
	}
	if err := op(); err != nil {
		return err
	}
	if d.broken() == LoseAnswer {
		return errAway
	}
	return nil
}

// count counts a request. The lock is held.
func (d *Driver) count() {
	d.reg.requests++
	d.requests++
	if d.since.IsZero() {
		d.since = time.Now()
	}
}
