package gate

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

func TestDeregisterIsBounded(t *testing.T) {
	t.Parallel()
	const delay = time.Second
	for _, c := range []struct {
		name   string
		fault  namingtest.Fault
		before bool // broken from the start: it never joins
		late   time.Duration
		least  time.Duration
		most   time.Duration
		err    bool
	}{
		{name: "registry answers", least: delay, most: delay},
		{name: "refused", fault: namingtest.Refuse, least: delay, most: delay, err: true},
		{name: "hangs", fault: namingtest.Hang, least: delay, most: delay + leaveLimit, err: true},
		{name: "answers are lost", fault: namingtest.LoseAnswer, least: delay, most: delay, err: true},
		{name: "ignores its context", fault: namingtest.Deaf, least: delay, most: delay + 3*time.Second, err: true},
		{name: "refused from the start", fault: namingtest.Refuse, before: true},
		{name: "hangs from the start", fault: namingtest.Hang, before: true},
		{name: "hangs from the start, later", fault: namingtest.Hang, before: true, late: 10 * time.Second},
		{name: "ignores its context from the start", fault: namingtest.Deaf, before: true, least: delay, most: delay + 3*time.Second, err: true},
		{name: "100 ms after the start", late: 0, least: delay, most: delay},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if c.before {
					w.Break(c.fault)
				}
				p, r := w.start(1, nil)
				defer p.close()
				defer w.Break(namingtest.None)
				settle(100*time.Millisecond + c.late)
				if !c.before {
					wantState(t, r, health.Serving)
					w.Break(c.fault)
				}
				begin := time.Now()
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						if err := r.Deregister(); (err != nil) != c.err {
							t.Errorf("Deregister: %v", err)
						}
					})
				}
				synctest.Wait()
				wantDraining(t, p, r)
				wg.Wait()
				took := time.Since(begin)
				if took < c.least || took > c.most {
					t.Errorf("took %v, want %v to %v", took, c.least, c.most)
				}
				if err := r.Deregister(); (err != nil) != c.err {
					t.Errorf("Deregister again: %v", err)
				}
			})
		})
	}
}

func wantDraining(t *testing.T, p *process, r *Registration) {
	t.Helper()
	if s := r.State(); s != health.Draining && s != health.Gone {
		t.Errorf("%v while it drains", s)
	}
	if s := p.monitor.Report().Status; s != health.StatusDraining {
		t.Errorf("health says %v", s)
	}
}

// TestNeverServedNeedsNoDelay has nobody to wait for.
func TestNeverServedNeedsNoDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.process(func(o *Options) { o.DrainDelay = time.Hour })
		defer p.close()
		p.sick.Store(true)
		p.monitor.Start()
		r := p.register(Spec{Service: service, Listen: tcp("10.0.0.1", 1)})
		settle(time.Second)
		begin := time.Now()
		if err := r.Deregister(); err != nil || time.Since(begin) != 0 {
			t.Fatalf("%v after %v", err, time.Since(begin))
		}
		roster, serving, members, _ := w.Residue()
		if roster+serving+members != 0 {
			t.Fatalf("left behind: %d, %d, %d", roster, serving, members)
		}
	})
}

// order is a registrar that notes what health says when the registry is told to forget the instance.
type order struct {
	naming.Registrar
	m    *health.Monitor
	said chan health.Status
}

type ordered struct {
	naming.Membership
	o *order
}

func (o *order) Join(ctx context.Context, c naming.Claim) (naming.Membership, error) {
	m, err := o.Registrar.Join(ctx, c)
	if err != nil {
		return nil, err
	}
	return ordered{m, o}, nil
}

func (m ordered) Leave(ctx context.Context) error {
	m.o.said <- m.o.m.Report().Status
	return m.Membership.Leave(ctx)
}

func TestHealthDrainsBeforeTheRegistryHears(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		said := make(chan health.Status, 1)
		p, r := w.start(1, func(o *Options) { o.Registrar = &order{o.Registrar, o.Monitor, said} })
		defer p.close()
		settle(time.Second)
		if err := r.Deregister(); err != nil {
			t.Fatal(err)
		}
		if s := <-said; s != health.StatusDraining {
			t.Errorf("health said %v", s)
		}
		if s := p.monitor.Report().Status; s != health.StatusDraining {
			t.Errorf("health says %v after the drain, want draining until the process ends", s)
		}
	})
}

func TestDrainIsOneWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, r := w.start(1, func(o *Options) { o.DrainDelay = 10 * time.Second })
		defer p.close()
		settle(time.Second)
		go r.Deregister()
		synctest.Wait()
		w.wantServing(0, 0)
		p.sick.Store(true)
		settle(2 * interval)
		p.sick.Store(false)
		settle(2 * interval)
		wantState(t, r, health.Draining)
		w.wantServing(0, 0)
		<-r.Done()
		wantState(t, r, health.Gone)
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, first := w.start(1, func(o *Options) { o.DrainDelay = 5 * time.Second })
		second := p.register(Spec{Service: service, Listen: tcp("10.0.0.1", 2)})
		defer p.close()
		settle(time.Second)
		w.wantServing(2, 0)
		begin := time.Now()
		go first.Deregister()
		time.Sleep(time.Second)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := p.gate.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		wantState(t, second, health.Gone) // nobody serves any more: no delay
		wantState(t, first, health.Draining)
		w.wantServing(0, 0)
		wg.Wait()
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("closed after %v, want with the drain in progress", took)
		}
		for _, r := range []*Registration{first, second} {
			if err := r.Deregister(); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("Deregister after Close took its time")
		}
		if _, err := p.gate.Register(Spec{Service: service, Listen: tcp("10.0.0.1", 3)}); !errors.Is(err, ErrClosed) {
			t.Errorf("Register after Close: %v", err)
		}
	})
}

func TestCloseDuringAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, _ := w.start(1, nil)
		p.register(Spec{Service: service, Listen: tcp("10.0.0.1", 2)})
		defer p.close()
		settle(time.Second)
		w.Break(namingtest.Hang)
		begin := time.Now()
		if err := p.gate.Close(); err == nil {
			t.Error("nothing said about entries that stay")
		}
		if took := time.Since(begin); took != leaveLimit {
			t.Errorf("took %v: they leave at the same time", took)
		}
	})
}
