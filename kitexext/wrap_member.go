package kitexext

import (
	"context"
	"fmt"

	"github.com/muster-go/muster/naming"
)

// wrappedMember is a membership in a foreign registry. Its fields that change are under the driver's lock.
type wrappedMember struct {
	id      string
	entry   *entry
	done    chan struct{}
	changed chan struct{}
	err     error
}

var _ naming.Membership = (*wrappedMember)(nil)

// Publish implements naming.Membership, by Register. The status and degraded go nowhere.
func (m *wrappedMember) Publish(ctx context.Context, _ naming.Status, _ bool) error {
	return m.reach(ctx, true)
}

// Withdraw implements naming.Membership, by Deregister. The floor is not kept.
func (m *wrappedMember) Withdraw(ctx context.Context, _ naming.Floor, _, _ naming.Status) (naming.Outcome, error) {
	return naming.Withdrawn, m.reach(ctx, false)
}

// Annotate implements naming.Membership. There is nowhere to write to.
func (m *wrappedMember) Annotate(context.Context, naming.Status) error { return m.Err() }

// Census implements naming.Membership. It counts nothing.
func (m *wrappedMember) Census(context.Context) (naming.Census, error) {
	return naming.Census{}, m.Err()
}

// Leave implements naming.Membership. Where the registry does not answer in time, the driver goes on taking the instance
// out, in the background.
func (m *wrappedMember) Leave(ctx context.Context) error {
	d := m.entry.d
	d.mu.Lock()
	if m.err != nil {
		d.mu.Unlock()
		return nil
	}
	m.entry.state.want = false // even if ctx has ended already
	m.entry.ask()
	d.mu.Unlock()
	err := m.reach(ctx, false)

	d.mu.Lock()
	defer d.mu.Unlock()
	if m.err != nil {
		return nil // somebody else has ended it meanwhile
	}
	m.end(naming.ErrLeft)
	m.entry.holder = nil
	m.entry.nudge()
	return err
}

// Done implements naming.Membership.
func (m *wrappedMember) Done() <-chan struct{} { return m.done }

// Err implements naming.Membership.
func (m *wrappedMember) Err() error {
	m.entry.d.mu.Lock()
	defer m.entry.d.mu.Unlock()
	return m.err
}

// Changed implements naming.Membership. There is never a notice.
func (m *wrappedMember) Changed() <-chan struct{} { return m.changed }

// Notice implements naming.Membership.
func (m *wrappedMember) Notice() naming.Notice { return naming.Notice{} }

// reach says what is wanted, and waits until it is so, or a call for it has failed, or ctx ends.
func (m *wrappedMember) reach(ctx context.Context, listed bool) error {
	e := m.entry
	e.d.mu.Lock()
	defer e.d.mu.Unlock()
	if m.err == nil && ctx.Err() == nil {
		e.state.want = listed
		e.ask()
	}
	failures := e.failures
	for {
		switch {
		case m.err != nil:
			return m.err
		case ctx.Err() != nil:
			return fmt.Errorf("kitexext: the registry has not done it yet: %w", ctx.Err())
		case e.state.want == listed && e.settled():
			return nil
		case e.failures > failures:
			return e.err
		}
		changed := e.changed
		e.d.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		e.d.mu.Lock()
	}
}

// end closes Done, once. The lock is held.
func (m *wrappedMember) end(why error) {
	if m.err == nil {
		m.err = why
		close(m.done)
		m.entry.tell()
	}
}
