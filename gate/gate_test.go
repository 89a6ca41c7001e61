package gate

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/health"
)

func TestServesWhileFit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.process(nil)
		defer p.close()
		p.sick.Store(true)
		r := p.register(Spec{Service: service, Listen: tcp("10.0.0.1", 8888)})
		settle(time.Second) // the monitor has not been started
		wantState(t, r, health.Waiting)
		if c := w.Census(w.ns, service); c.Alive != 1 || c.Serving != 0 || c.Unfit != 0 {
			t.Fatalf("%+v", c)
		}
		p.monitor.Start()
		settle(time.Second)
		wantState(t, r, health.Waiting)
		if c := w.Census(w.ns, service); c.Unfit != 1 {
			t.Fatalf("%+v", c)
		}
		p.sick.Store(false)
		settle(2 * interval)
		wantState(t, r, health.Serving)
		w.wantServing(1, 0)
		p.sick.Store(true)
		settle(2 * interval)
		wantState(t, r, health.Withdrawn)
		w.wantServing(0, 0)
		p.sick.Store(false)
		settle(2 * interval)
		wantState(t, r, health.Serving)
		w.wantServing(1, 0)
		begin := time.Now()
		if err := r.Deregister(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Fatalf("drained in %v", took)
		}
		w.wantServing(0, 0)
		wantState(t, r, health.Gone)
	})
}
