package catalog

import (
	"slices"
	"sync"
)

// Subscription tells one reader that a service's instances have changed. While it is open, the service's watch does not end.
type Subscription struct {
	c    *Catalog
	e    *entry
	ch   chan struct{}
	once sync.Once
}

// Subscribe starts a watch of the service where there is none, and returns at once. It errs as Lookup does, but for
// ErrNoView.
func (c *Catalog) Subscribe(service string) (*Subscription, error) {
	e, err := c.acquire(service)
	if err != nil {
		return nil, err
	}
	s := &Subscription{c: c, e: e, ch: make(chan struct{}, 1)}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		close(s.ch)
		return s, nil
	}
	e.subs = append(e.subs, s)
	if e.view.Load() != nil {
		s.ch <- struct{}{}
	}
	return s, nil
}

// Changed receives after View has changed, and first if there is a view already. It has room for one, the latest value
// wins, and a slow reader delays nobody. It is closed by Close and by the catalog's Close.
func (s *Subscription) Changed() <-chan struct{} { return s.ch }

// View returns the latest view, or nil before the first.
func (s *Subscription) View() *View { return s.e.view.Load() }

// Close ends the subscription. It may be called again.
func (s *Subscription) Close() {
	s.once.Do(func() {
		s.e.mu.Lock()
		if i := slices.Index(s.e.subs, s); i >= 0 {
			s.e.subs = slices.Delete(s.e.subs, i, i+1)
			close(s.ch)
		}
		s.e.mu.Unlock()
		s.c.release(s.e)
	})
}

// tell wakes the subscribers.
func (e *entry) tell() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.subs {
		select {
		case s.ch <- struct{}{}:
		default:
		}
	}
}

// end closes every subscription.
func (e *entry) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = true
	for _, s := range e.subs {
		close(s.ch)
	}
	e.subs = nil
}
