package gate

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
)

// fleet is some processes that serve one service.
type fleet struct {
	*world
	p []*process
	r []*Registration
}

func (w *world) fleet(n int, change func(*Options)) *fleet {
	w.t.Helper()
	f := &fleet{world: w}
	for i := range n {
		p, r := w.start(1000+i, change)
		f.p, f.r = append(f.p, p), append(f.r, r)
	}
	settle(time.Second)
	f.wantServing(n, 0)
	return f
}

func (f *fleet) close() {
	for _, p := range f.p {
		p.gate.Close()
	}
	for _, p := range f.p {
		p.close()
	}
	f.checkHistory()
}

// checkHistory fails the test if any withdrawal went below its floor.
func (w *world) checkHistory() {
	w.t.Helper()
	for _, e := range w.History() {
		if e.Kind == "withdrew" && e.After.Serving < e.Floor.Need(e.After.Alive) && !e.Floor.Strict() {
			w.t.Errorf("revision %d: %s withdrew below the floor of %v: %+v", e.Revision, e.Addr, e.Floor, e.After)
		}
	}
}

// states returns how many are in each state, in short.
func (f *fleet) states() string {
	n := map[health.Lifecycle]int{}
	for _, r := range f.r {
		n[r.State()]++
	}
	return fmt.Sprint(n)
}

func (f *fleet) wantStates(want map[health.Lifecycle]int) {
	f.t.Helper()
	if got := f.states(); got != fmt.Sprint(want) {
		f.t.Fatalf("states %s, want %v", got, want)
	}
}

type states = map[health.Lifecycle]int

func TestFloorOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newWorld(t).fleet(4, nil)
		defer f.close()
		const look = 10 * time.Second // longer than any pause between looks
		f.p[0].sick.Store(true)
		settle(look)
		f.wantServing(3, 0)
		f.wantStates(states{health.Serving: 3, health.Withdrawn: 1})
		f.p[1].sick.Store(true)
		settle(look)
		f.wantServing(2, 0)
		f.wantStates(states{health.Serving: 2, health.Withdrawn: 2})
		f.p[2].sick.Store(true)
		settle(2 * interval)
		wantState(t, f.r[2], health.Held)
		settle(look)
		f.wantServing(4, 3) // and the other two serve again
		f.wantStates(states{health.Serving: 1, health.Held: 3})
		if d := shown(f.p[2]).Detail; !strings.Contains(d, "degraded") || !strings.Contains(d, "3 of 4") || !strings.Contains(d, "db failing") {
			t.Errorf("detail %q", d)
		}
		if s := f.p[2].monitor.Report(); !s.Ready || s.Status != health.StatusDegraded {
			t.Errorf("a held one is %v", s.Status)
		}
		f.p[2].sick.Store(false)
		settle(20 * time.Second)
		f.wantServing(2, 0)
		f.wantStates(states{health.Serving: 2, health.Withdrawn: 2})
		for _, p := range f.p {
			p.sick.Store(false)
		}
		settle(2 * interval)
		f.wantServing(4, 0)
		f.wantStates(states{health.Serving: 4})
	})
}

func TestFloorOfALoneInstance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		floor string
		want  health.Lifecycle
	}{{"50%", health.Withdrawn}, {"1", health.Held}, {"0", health.Withdrawn}, {"100%", health.Held}} {
		synctest.Test(t, func(t *testing.T) {
			floor, err := naming.ParseFloor(c.floor)
			if err != nil {
				t.Fatal(err)
			}
			f := newWorld(t).fleet(1, func(o *Options) { o.Floor = floor })
			defer f.close()
			f.p[0].sick.Store(true)
			settle(10 * time.Second)
			if got := f.r[0].State(); got != c.want {
				t.Errorf("floor %s: %v, want %v", c.floor, got, c.want)
			}
		})
	}
}

func TestStrictFloorKeepsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newWorld(t).fleet(3, func(o *Options) { o.Floor = naming.Floor{} })
		defer f.close()
		for _, p := range f.p {
			p.sick.Store(true)
		}
		settle(10 * time.Second)
		f.wantServing(0, 0)
		before := f.Requests()
		settle(2 * time.Minute)
		if n := f.Requests() - before; n != 0 {
			t.Errorf("%d requests of instances that have nothing to look for", n)
		}
	})
}

func TestDriverWithoutAFloorIsStrictAndSaysSoOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		log := &lines{}
		p := w.process(func(o *Options) {
			o.Logger, o.Registrar = log.logger(), w.DriverWith(w.ns, naming.Features{})
		})
		defer p.close()
		p.monitor.Start()
		for port := range 3 {
			p.register(Spec{Service: service, Listen: tcp("10.0.0.1", 1+port)})
		}
		settle(time.Second)
		w.wantServing(3, 0)
		p.sick.Store(true)
		settle(time.Second)
		w.wantServing(0, 0)
		if n := log.count("can't keep a floor"); n != 1 {
			t.Errorf("%d lines", n)
		}
	})
}

// TestTwelveFailAtOnce has a shared dependency break for all in the same millisecond, time and again.
func TestTwelveFailAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 12
		w := newWorld(t)
		w.Latency(2 * time.Millisecond)
		f := w.fleet(n, nil)
		defer f.close()
		var worst int64
		for round := range 20 {
			before := w.Requests()
			for _, p := range f.p {
				p.sick.Store(true)
			}
			settle(2 * time.Second)
			worst = max(worst, w.Requests()-before)
			f.wantServing(n, n)
			f.wantStates(states{health.Held: n})

			if round == 0 {
				before = w.Requests()
				settle(time.Minute)
				if got := w.Requests() - before; got > n*60 {
					t.Errorf("%d requests in a minute of being held", got)
				}
				f.wantServing(n, n)
			}

			for _, p := range f.p {
				p.sick.Store(false)
			}
			settle(3 * interval)
			f.wantServing(n, 0)
			f.wantStates(states{health.Serving: n})
		}
		if worst > 100 {
			t.Errorf("%d requests until settled", worst)
		}
		t.Logf("%d requests until settled, at most", worst)
	})
}

// TestTheShareFallsAgain has most of a failed fleet recover: the rest leaves in order.
func TestTheShareFallsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newWorld(t).fleet(12, nil)
		defer f.close()
		for _, p := range f.p {
			p.sick.Store(true)
		}
		settle(time.Second)
		f.wantServing(12, 12)
		for _, p := range f.p[3:] {
			p.sick.Store(false)
		}
		settle(2 * interval)
		f.wantServing(12, 3)
		settle(30 * time.Second)
		f.wantServing(9, 0)
		f.wantStates(states{health.Serving: 9, health.Withdrawn: 3})
		flips := len(f.History())
		settle(2 * time.Minute)
		if n := len(f.History()) - flips; n != 0 {
			t.Errorf("%d changes after it had settled", n)
		}
	})
}

// TestADeathIsRepaired has the last fit ones die while the others are out.
func TestADeathIsRepaired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newWorld(t).fleet(4, nil)
		defer f.close()
		f.p[0].sick.Store(true)
		f.p[1].sick.Store(true)
		settle(10 * time.Second)
		f.wantServing(2, 0)
		for _, p := range f.p[2:] {
			f.Break(0)
			p.driver.Break(1) // it never joins again
			f.ExpireLease(p.driver)
		}
		settle(5 * time.Second) // the longest pause between two looks
		f.wantServing(2, 2)
	})
}

// TestTheOperatorTakesTheFitOnesOut leaves fewer serving than the floor needs, though few are unfit.
func TestTheOperatorTakesTheFitOnesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newWorld(t).fleet(4, nil)
		defer f.close()
		f.p[0].sick.Store(true)
		settle(10 * time.Second)
		f.wantServing(3, 0)
		var ids []string
		for _, m := range f.Roster(f.ns, service)[1:] {
			f.SetOffline(m.Instance.ID, "alice", time.Time{})
			ids = append(ids, m.Instance.ID)
		}
		settle(12 * time.Second)
		f.wantServing(1, 1)
		for _, id := range ids {
			f.SetOnline(id)
		}
		settle(12 * time.Second)
		f.wantServing(3, 0)
	})
}

// TestNewcomersPullNoBrokenOneBackIn has a fleet grow for a moment, time and again, while one is out.
func TestNewcomersPullNoBrokenOneBackIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newWorld(t).fleet(2, nil)
		defer f.close()
		f.p[0].sick.Store(true)
		settle(20 * time.Second)
		f.wantServing(1, 0)
		for range 12 {
			p := f.process(nil) // its monitor is not running: alive, and not fit yet
			for i := range 6 {
				p.register(Spec{Service: service, Listen: tcp("10.0.0.2", 1+i)})
			}
			settle(1400 * time.Millisecond) // less than from one look to the next
			if c := f.Census(f.ns, service); c.Alive != 8 || c.Serving != 1 {
				t.Fatalf("%+v", c)
			}
			p.close()
			settle(5 * time.Second)
		}
		for _, e := range f.History() {
			if e.Degraded {
				t.Fatalf("%s was pulled in", e.Addr)
			}
		}
	})
}
