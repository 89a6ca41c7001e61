package floortest

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/naming/etcd"
)

// newCatalog returns a client of its own process.
func newCatalog(t *testing.T, endpoint string, o catalog.Options) *catalog.Catalog {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	d, err := etcd.New(etcd.Config{Namespace: Dev(), Endpoints: []string{endpoint}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if o.Logger == nil {
		o.Logger = quiet
	}
	c, err := catalog.New(d, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// until waits for a view and returns when it was there.
func until(t *testing.T, s *catalog.Subscription, what string, so func(*catalog.View) bool) time.Time {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		if v := s.View(); v != nil && so(v) {
			return time.Now()
		}
		select {
		case <-s.Changed():
		case <-late.C:
			t.Fatalf("%s did not come to be: %+v", what, s.View())
		}
	}
}

// TestAllLeave: when every instance says that it leaves, clients believe it at once.
func TestAllLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fleetSize, half(), nil)
	s, err := newCatalog(t, w.Endpoint(), catalog.Options{}).Subscribe("user-svc")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	until(t, s, "a full list", func(v *catalog.View) bool { return len(v.Instances) == fleetSize })
	empty := make(chan time.Time)
	go func() {
		empty <- until(t, s, "an empty list", func(v *catalog.View) bool { return len(v.Instances) == 0 && len(v.Suspects) == 0 })
	}()
	var wg sync.WaitGroup
	for _, i := range w.all {
		wg.Go(func() {
			if err := i.Reg.Deregister(); err != nil {
				t.Error(err)
			}
		})
	}
	raw := w.ledger.Wait(t, "nobody serves", func(a *Audit) bool { return a.Count(func(m Member) bool { return m.Serving }) == 0 })
	after := (<-empty).Sub(raw)
	wg.Wait()
	t.Logf("all %d left: the catalog was empty %v after a bare watch had heard of the last", fleetSize, after)
	if after > time.Second {
		t.Errorf("the list was empty after %v", after)
	}
}
