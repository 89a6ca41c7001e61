package gate

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
)

func TestOperatorWinsOverProbes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newWorld(t).fleet(1, func(o *Options) { o.Floor = naming.Count(1) })
		defer f.close()
		p, r := f.p[0], f.r[0]
		id := f.Serving(f.ns, service)[0].ID

		f.SetOffline(id, "alice", time.Time{})
		synctest.Wait()
		f.wantServing(0, 0) // whatever the floor says
		wantState(t, r, health.Offline)
		if d := shown(p).Detail; !strings.Contains(d, "alice") {
			t.Errorf("detail %q", d)
		}
		for range 3 { // probes change nothing
			p.sick.Store(true)
			settle(10 * time.Second)
			wantState(t, r, health.Offline)
			f.wantServing(0, 0)
			p.sick.Store(false)
			settle(10 * time.Second)
			wantState(t, r, health.Offline)
			f.wantServing(0, 0)
		}
		before := len(f.History())
		f.ExpireLease(p.driver) // nor does a reconnect
		settle(10 * time.Second)
		wantState(t, r, health.Offline)
		for _, e := range f.History()[before:] {
			if e.Kind == "published" {
				t.Error("published after the reconnect")
			}
		}
		f.SetOnline(id)
		synctest.Wait()
		wantState(t, r, health.Serving)
		f.wantServing(1, 0)
	})
}

func TestOnlineGoesBackToWhatTheProbesSay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newWorld(t).fleet(2, nil)
		defer f.close()
		id := f.Roster(f.ns, service)[0].Instance.ID
		f.SetOffline(id, "alice", time.Time{})
		settle(time.Second)
		f.p[0].sick.Store(true)
		settle(time.Second)
		f.SetOnline(id)
		settle(time.Minute)
		wantState(t, f.r[0], health.Withdrawn)
		f.wantServing(1, 0)
	})
}

func TestOrderEndsByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newWorld(t).fleet(1, nil)
		defer f.close()
		f.SetOffline(f.Serving(f.ns, service)[0].ID, "alice", time.Now().Add(60*time.Second+250*time.Millisecond))
		settle(60 * time.Second)
		wantState(t, f.r[0], health.Offline)
		settle(250 * time.Millisecond)
		wantState(t, f.r[0], health.Serving)
	})
}

func TestOfflineBeforeItWasFit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.process(nil)
		defer p.close()
		r := p.register(Spec{Service: service, Listen: tcp("10.0.0.1", 1)})
		settle(time.Second)
		id := w.Roster(w.ns, service)[0].Instance.ID
		w.SetOffline(id, "alice", time.Time{})
		synctest.Wait()
		wantState(t, r, health.Offline)
		p.monitor.Start()
		settle(time.Second)
		w.wantServing(0, 0)
		w.SetOnline(id)
		synctest.Wait()
		wantState(t, r, health.Serving)
		for _, e := range w.History() {
			if e.Kind == "withdrew" {
				t.Error("withdrawn, and never listed")
			}
		}
	})
}

func TestDrainWhileOffline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newWorld(t).fleet(1, nil)
		defer f.close()
		f.SetOffline(f.Serving(f.ns, service)[0].ID, "alice", time.Time{})
		settle(time.Second)
		if err := f.r[0].Deregister(); err != nil {
			t.Fatal(err)
		}
		if a, _ := f.serving(); a != 0 {
			t.Error("it serves")
		}
		wantState(t, f.r[0], health.Gone)
	})
}
