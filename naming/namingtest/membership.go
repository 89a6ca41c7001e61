package namingtest

import (
	"context"
	"maps"

	"github.com/muster-go/muster/naming"
)

// Membership implements [naming.Membership]. Its fields are under the registry's lock, but the first four and the
// channels, which don't change.
type Membership struct {
	driver   *Driver
	at       place
	instance naming.Instance
	changed  chan struct{}
	done     chan struct{}

	status    naming.Status
	listed    bool // it wants to be listed
	degraded  bool
	reclaimed bool // it has taken its entry back from a stranger once
	notice    naming.Notice
	err       error
}

var _ naming.Membership = (*Membership)(nil)

// Publish implements [naming.Membership].
func (m *Membership) Publish(ctx context.Context, st naming.Status, degraded bool) error {
	return m.request(ctx, func() error {
		m.note(Published, st)
		m.listed, m.degraded = true, degraded
		m.list()
		m.hear()
		return nil
	})
}

// Withdraw implements [naming.Membership].
func (m *Membership) Withdraw(ctx context.Context, f naming.Floor, onWithdrawn, onHeld naming.Status) (naming.Outcome, error) {
	outcome := naming.Withdrawn
	err := m.request(ctx, func() error {
		r, s := m.driver.reg, m.driver.reg.at(m.at)
		if !m.driver.features.Floor {
			f = naming.Floor{}
		}
		addr := m.instance.Addr
		if l := s.serving[addr]; l == nil || l.owner != m {
			m.listed = false
			m.note(Annotated, onWithdrawn)
			m.hear()
			return nil
		}
		if !f.Permits(s.census(), m.status.Unfit) {
			outcome = naming.Held
			m.note(Refused, onHeld)
			return nil
		}
		m.listed = false
		r.commit(m.at, Event{Kind: Withdrew, Addr: addr, ID: m.instance.ID, Floor: f}, func(s *service) {
			delete(s.serving, addr)
			m.status = onWithdrawn
		})
		s.changed(m.announced())
		m.hear()
		return nil
	})
	return outcome, err
}

// Annotate implements [naming.Membership].
func (m *Membership) Annotate(ctx context.Context, st naming.Status) error {
	return m.request(ctx, func() error { m.note(Annotated, st); return nil })
}

// Census implements [naming.Membership].
func (m *Membership) Census(ctx context.Context) (naming.Census, error) {
	var c naming.Census
	err := m.request(ctx, func() error {
		if m.driver.features.Roster {
			c = m.driver.reg.at(m.at).census()
		}
		return nil
	})
	return c, err
}

// Leave implements [naming.Membership].
func (m *Membership) Leave(ctx context.Context) error {
	if m.Err() != nil {
		return nil
	}
	err := m.request(ctx, func() error { m.remove(); return nil })
	r := m.driver.reg
	r.mu.Lock()
	defer r.mu.Unlock()
	m.end(naming.ErrLeft)
	return err
}

// Done implements [naming.Membership].
func (m *Membership) Done() <-chan struct{} { return m.done }

// Err implements [naming.Membership].
func (m *Membership) Err() error {
	select {
	case <-m.done:
	default:
		return nil
	}
	m.driver.reg.mu.Lock()
	defer m.driver.reg.mu.Unlock()
	return m.err
}

// Changed implements [naming.Membership].
func (m *Membership) Changed() <-chan struct{} { return m.changed }

// Notice implements [naming.Membership].
func (m *Membership) Notice() naming.Notice {
	m.driver.reg.mu.Lock()
	defer m.driver.reg.mu.Unlock()
	return m.notice
}

func (m *Membership) request(ctx context.Context, op func() error) error {
	if err := m.Err(); err != nil {
		return err
	}
	err := m.driver.request(ctx, func() error {
		if m.err != nil {
			return m.err
		}
		return op()
	})
	if end := m.Err(); err != nil && end != nil {
		return end
	}
	return err
}

// note writes the status where it differs, recording it as an event of that kind.
func (m *Membership) note(k Kind, st naming.Status) {
	r := m.driver.reg
	if same(m.status, st) && k != Refused {
		return
	}
	if k == Published {
		k = Annotated
	}
	e := Event{Kind: k, Addr: m.instance.Addr, ID: m.instance.ID}
	r.commit(m.at, e, func(*service) { m.status = st })
}

// list writes the listing where it differs. A stranger's is taken over once.
func (m *Membership) list() {
	r, s, addr := m.driver.reg, m.driver.reg.at(m.at), m.instance.Addr
	in := m.instance
	in.Degraded = m.degraded
	l := s.serving[addr]
	switch {
	case l != nil && l.owner == m && l.instance.Equal(&in):
		return
	case l != nil && l.owner == nil && m.reclaimed:
		return
	case l != nil && l.owner == nil:
		m.reclaimed = true
	}
	r.commit(m.at, Event{Kind: Published, Addr: addr, ID: in.ID, Degraded: in.Degraded}, func(s *service) {
		s.serving[addr] = &listing{instance: &in, owner: m}
	})
	s.changed("")
}

// hear mends what others did to the member's entries and learns what the registry says to it, unless it is cut off. The
// lock is held.
func (m *Membership) hear() {
	if m.err != nil || m.driver.cut() {
		return
	}
	r, s, addr := m.driver.reg, m.driver.reg.at(m.at), m.instance.Addr
	if s.roster[addr] == nil {
		r.commit(m.at, Event{Kind: Joined, Addr: addr, ID: m.instance.ID}, func(s *service) { s.roster[addr] = m })
	}
	var n naming.Notice
	if m.listed {
		m.list()
		if s.serving[addr].owner != m {
			n.Conflict = "a stranger overwrites the entry of " + addr + " in " + m.at.String()
		}
	}
	if o, ok := r.orders[m.instance.ID]; ok && m.driver.features.Operator {
		n.Offline = &o
	}
	old := m.notice
	if n.Conflict == old.Conflict && (n.Offline == nil) == (old.Offline == nil) && (n.Offline == nil || *n.Offline == *old.Offline) {
		return
	}
	m.notice = n
	signal(m.changed)
}

// remove takes the member's entries out, announced.
func (m *Membership) remove() { m.erase(Left, true) }

func (m *Membership) erase(k Kind, announce bool) {
	r, s, addr := m.driver.reg, m.driver.reg.at(m.at), m.instance.Addr
	if s.roster[addr] != m {
		return
	}
	l := s.serving[addr]
	listed := l != nil && l.owner == m
	r.commit(m.at, Event{Kind: k, Addr: addr, ID: m.instance.ID}, func(s *service) {
		delete(s.roster, addr)
		if listed {
			delete(s.serving, addr)
		}
	})
	switch {
	case listed && announce:
		s.changed(m.announced())
	case listed:
		s.changed("")
	}
}

func (m *Membership) announced() string {
	if m.driver.features.Marks {
		return m.instance.Addr
	}
	return ""
}

// end closes Done, once. The lock is held.
func (m *Membership) end(why error) {
	if m.err != nil {
		return
	}
	m.err = why
	delete(m.driver.members, m)
	close(m.done)
}

func same(a, b naming.Status) bool {
	return a.State == b.State && a.Unfit == b.Unfit && maps.Equal(a.Probes, b.Probes) && a.Started.Equal(b.Started) &&
		a.Version == b.Version
}
