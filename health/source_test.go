package health

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, steady("db", pass))
		after(time.Second)
		status := func(want Status) {
			t.Helper()
			if got := m.Report().Status; got != want {
				t.Fatalf("%v, want %v", got, want)
			}
		}
		b := m.Attach(Registration{Service: "b", Addr: "h:2", State: Waiting})
		a := m.Attach(Registration{Service: "a", Addr: "h:1", State: Waiting})
		status(StatusOK)
		r, changed := m.Observe()
		if len(r.Registrations) != 2 || r.Registrations[0].Service != "a" || r.Registrations[0].Since.IsZero() {
			t.Fatalf("%+v", r.Registrations)
		}

		a.Set(Registration{Service: "a", Addr: "h:1", State: Waiting, Detail: "the registry is away"})
		select {
		case <-changed:
			t.Error("a detail woke who observes")
		default:
		}
		since := m.Report().Registrations[0].Since
		if m.Report().Registrations[0].Detail == "" || !since.Equal(r.Registrations[0].Since) {
			t.Errorf("%+v", m.Report().Registrations[0])
		}
		after(time.Second)
		a.Set(Registration{Service: "a", Addr: "h:1", State: Serving})
		select {
		case <-changed:
		default:
			t.Error("a lifecycle woke nobody")
		}
		if !m.Report().Registrations[0].Since.Equal(time.Now()) {
			t.Errorf("since %v", m.Report().Registrations[0].Since)
		}

		a.Set(Registration{Service: "a", Addr: "h:1", State: Draining})
		status(StatusOK)
		b.Set(Registration{Service: "b", Addr: "h:2", State: Offline})
		status(StatusDraining)
		a.Set(Registration{Service: "a", Addr: "h:1", State: Gone})
		a.Detach()
		a.Detach()
		a.Set(Registration{Service: "a", Addr: "h:1", State: Serving})
		status(StatusDraining)
		b.Detach()
		status(StatusDraining) // a has left, and nobody took that back
		c := m.Attach(Registration{Service: "c", State: Waiting})
		status(StatusOK)
		c.Detach()
		status(StatusOK) // it never left, it only went
	})
}

func TestConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := steady("db", pass)
		p.Interval = time.Millisecond
		m := start(t, p)
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				s := m.Attach(Registration{Service: string(rune('a' + i))})
				for l := range 100 {
					s.Set(Registration{Service: string(rune('a' + i)), State: Lifecycle(l % 7)})
					r, changed := m.Observe()
					if r.Ready != (r.Status == StatusOK || r.Status == StatusDegraded) {
						t.Errorf("%+v", r)
					}
					select {
					case <-changed:
					case <-time.After(time.Millisecond):
					}
				}
				s.Detach()
			})
		}
		all.Wait()
	})
}

func TestRevisionGrowsWithWhatMatters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, steady("db", pass))
		after(time.Second)
		seen := map[uint64]*Report{}
		s := m.Attach(Registration{Service: "a"})
		for i := range 50 {
			s.Set(Registration{Service: "a", State: Lifecycle(i / 3 % 7), Detail: string(rune('a' + i))})
			r := m.Report()
			if old := seen[r.Revision]; old != nil && old.matters(r) {
				t.Fatalf("two standings of revision %d: %+v, %+v", r.Revision, old, r)
			}
			seen[r.Revision] = r
		}
		if len(seen) != 17 {
			t.Errorf("%d revisions for 17 standings", len(seen))
		}
	})
}
