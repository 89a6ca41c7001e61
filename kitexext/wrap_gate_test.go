package kitexext

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
)

// A gate over a registry that was written for Kitex: listed while fit, taken out while not, listed again when the registry
// answers again, and a drain that is bounded whatever the registry does. Nothing can be counted in such a registry, so that
// a floor which would keep the only instance keeps nobody.
func TestTheGateOverAForeignRegistry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newKitexWorld()
		ns, err := naming.NewNamespace("dev", "")
		if err != nil {
			t.Fatal(err)
		}
		var sick atomic.Bool
		m, err := health.New(health.Options{Logger: quiet()}, health.Probe{Name: "db", Check: func(context.Context) error {
			if sick.Load() {
				return errors.New("broken")
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		d := WrapRegistry(&kitexRegistry{w, "dev"}, Logger(quiet()))
		g, err := gate.New(gate.Options{
			Registrar: d, Monitor: m, Namespace: ns, Floor: naming.Count(1), DrainDelay: time.Second, Logger: quiet(),
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := g.Register(gate.Spec{Service: "echo", Listen: listener})
		if err != nil {
			t.Fatal(err)
		}
		const key = "dev/echo/10.0.0.1:8888"
		expect := func(what string, state health.Lifecycle, listed bool) {
			t.Helper()
			if got := r.State(); got != state || w.has(key) != listed {
				t.Fatalf("%s: %v, listed %v; want %v, %v", what, got, w.has(key), state, listed)
			}
		}
		synctest.Wait()
		expect("before the first probe", health.Waiting, false)
		m.Start()
		pass(10 * time.Second)
		expect("fit", health.Serving, true)
		sick.Store(true)
		pass(30 * time.Second)
		expect("unfit", health.Withdrawn, false)
		w.setAway(true)
		sick.Store(false)
		pass(time.Minute)
		expect("fit again, in an outage", health.Withdrawn, false)
		w.setAway(false)
		pass(5 * time.Second)
		expect("after the outage", health.Serving, true)
		w.setAway(true)
		begin := time.Now()
		if err := r.Deregister(); err == nil {
			t.Error("a leave without an answer has no error")
		}
		if took := time.Since(begin); took > 4*time.Second {
			t.Errorf("drained in %v", took)
		}
		w.setAway(false)
		pass(time.Minute)
		if w.has(key) {
			t.Error("what has left during an outage stays listed")
		}
		for _, err := range []error{g.Close(), m.Close(), d.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
}
