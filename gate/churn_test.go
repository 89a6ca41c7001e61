package gate

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming/namingtest"
)

func TestAThousandFlips(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newWorld(t).fleet(1, nil)
		p := f.p[0]
		for range 1000 {
			p.sick.Store(true)
			settle(2 * interval)
			if a, _ := f.serving(); a != 0 {
				t.Fatal("it serves while unfit")
			}
			p.sick.Store(false)
			settle(2 * interval)
			if a, d := f.serving(); a != 1 || d != 0 {
				t.Fatal("it does not serve while fit")
			}
		}
		f.close()
		wantNothingLeft(t, f.world)
	})
}

func wantNothingLeft(t *testing.T, w *world) {
	t.Helper()
	if roster, serving, members, watches := w.Residue(); roster+serving+members+watches != 0 {
		t.Fatalf("left behind: %d on the roster, %d serving, %d memberships, %d watches", roster, serving, members, watches)
	}
}

func TestAThousandRegistrations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.process(nil)
		p.monitor.Start()
		settle(time.Second)
		for i := range 1000 {
			r := p.register(Spec{Service: service, Listen: tcp("10.0.0.1", 1)})
			time.Sleep(time.Duration(rand.N(40)) * time.Millisecond) // it may have joined, or be serving, or not
			if i%3 == 0 {
				synctest.Wait()
			}
			if err := r.Deregister(); err != nil {
				t.Fatal(err)
			}
			roster, serving, members, _ := w.Residue()
			if roster+serving+members != 0 {
				t.Fatalf("round %d: a ghost", i)
			}
			if n := len(p.monitor.Report().Registrations); n != 0 {
				t.Fatalf("round %d: health shows %d registrations", i, n)
			}
		}
		settle(time.Hour) // nothing comes back
		wantNothingLeft(t, w)
		if s := p.monitor.Report().Status; s != health.StatusDraining {
			t.Errorf("health says %v", s)
		}
		p.close()
	})
}

// TestChurn lets anything happen to a fleet, and then looks whether everything is as the facts say.
func TestChurn(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) { churn(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func churn(t *testing.T, r *rand.Rand) {
	w := newWorld(t)
	w.Latency(time.Duration(r.IntN(5)) * time.Millisecond)
	f := w.fleet(6, nil)
	gone := map[*Registration]bool{}
	offline := map[string]bool{}
	for range 200 {
		i := r.IntN(len(f.p))
		p, reg := f.p[i], f.r[i]
		switch r.IntN(12) {
		case 0, 1, 2, 3:
			p.sick.Store(r.IntN(2) == 0)
		case 4:
			w.ExpireLease(p.driver)
		case 5:
			p.driver.Break(namingtest.Fault(r.IntN(4)))
		case 6:
			p.driver.Break(namingtest.None)
		case 7:
			w.DeleteServing(w.ns, service, reg.Addr())
		case 8:
			id := reg.in.ID
			offline[id] = !offline[id]
			if offline[id] {
				w.SetOffline(id, "alice", time.Time{})
			} else {
				w.SetOnline(id)
			}
		case 9:
			if len(f.p) < 12 {
				p, reg := w.start(1000+len(f.p), nil)
				f.p, f.r = append(f.p, p), append(f.r, reg)
			}
		case 10:
			if r.IntN(4) == 0 {
				gone[reg] = true
				go reg.Deregister()
			}
		case 11:
			if r.IntN(8) == 0 {
				w.Wipe()
				clear(offline)
			}
		}
		settle(time.Duration(r.IntN(300)) * time.Millisecond)
		for reg := range gone {
			if s := reg.State(); s != health.Draining && s != health.Gone {
				t.Fatalf("%s came back as %v", reg.Addr(), s)
			}
		}
	}
	w.Break(namingtest.None)
	for _, p := range f.p {
		p.driver.Break(namingtest.None)
		p.sick.Store(false)
	}
	for id := range offline {
		w.SetOnline(id)
	}
	settle(10 * time.Second)
	for i, reg := range f.r {
		if gone[reg] {
			w.ExpireLease(f.p[i].driver) // what an unanswered leave left
			wantState(t, reg, health.Gone)
			continue
		}
		wantState(t, reg, health.Serving)
	}
	if a, d := w.serving(); a != len(f.r)-len(gone) || d != 0 {
		t.Fatalf("serving %d, %d of them degraded; want %d", a, d, len(f.r)-len(gone))
	}
	f.close()
	wantNothingLeft(t, w)
}
