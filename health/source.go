package health

import (
	"cmp"
	"slices"
	"time"
)

// Source is where one registration tells the monitor how it stands. Its methods are safe for concurrent use and never
// block; what they set is in the report when they return.
type Source struct {
	m *Monitor
	r Registration // guarded by m.mu
}

// Attach adds a registration to the report. It works before Start and after Close.
func (m *Monitor) Attach(r Registration) *Source {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &Source{m: m, r: r}
	if s.r.Since.IsZero() {
		s.r.Since = time.Now()
	}
	m.registrations = append(m.registrations, s)
	m.left = false
	m.publishLocked()
	return s
}

// Set replaces the registration. After Detach it does nothing.
func (s *Source) Set(r Registration) {
	m := s.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.registrations, s) {
		return
	}
	if r.Since.IsZero() {
		r.Since = time.Now()
		if r.State == s.r.State {
			r.Since = s.r.Since
		}
	}
	if r == s.r {
		return
	}
	s.r = r
	m.publishLocked()
}

// Detach takes the registration out of the report. If it was draining or gone and no other one is left, the process goes
// on reading as draining until another is attached: it has said that it leaves, and nothing has taken that back.
// Detaching again does nothing.
func (s *Source) Detach() {
	m := s.m
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.registrations, s)
	if i < 0 {
		return
	}
	m.registrations = slices.Delete(m.registrations, i, i+1)
	m.left = m.left || s.r.State == Draining || s.r.State == Gone
	m.publishLocked()
}

func compareRegistrations(a, b Registration) int {
	return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Addr, b.Addr))
}
