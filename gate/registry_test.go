package gate

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

func TestRegistryAwayAtTheStart(t *testing.T) {
	t.Parallel()
	for _, f := range []namingtest.Fault{namingtest.Refuse, namingtest.Hang} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.Break(f)
			log := &lines{}
			p, r := w.start(1, func(o *Options) { o.Logger = log.logger() })
			defer p.close()
			settle(10 * time.Minute)
			wantState(t, r, health.Waiting)
			if n := log.count("the registry did not do it"); n < 2 || n > 25 {
				t.Errorf("%d lines in ten minutes", n)
			}
			if n := p.driver.Requests(); n > 1000 {
				t.Errorf("%d requests in ten minutes", n)
			}
			if d := shown(p).Detail; !strings.Contains(d, "does not answer") {
				t.Errorf("detail %q", d)
			}
			if s := p.monitor.Report(); !s.Ready {
				t.Errorf("%v: a registry that is away makes nobody unfit", s.Status)
			}
			w.Break(namingtest.None)
			settle(2 * time.Second)
			wantState(t, r, health.Serving)
			w.wantServing(1, 0)
			if n := log.count("the registry answers again"); n != 1 {
				t.Errorf("%d lines about its return", n)
			}
			if d := shown(p).Detail; d != "" {
				t.Errorf("detail %q", d)
			}
		})
	}
}

// shown is what health shows of the process's only registration.
func shown(p *process) health.Registration { return p.monitor.Report().Registrations[0] }

func TestLostLeaseIsJoinedAgainAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, r := w.start(1, nil)
		defer p.close()
		settle(time.Second)
		id := w.Serving(w.ns, service)[0].ID
		for range 20 {
			w.ExpireLease(p.driver)
			synctest.Wait() // no time passes
			w.wantServing(1, 0)
			wantState(t, r, health.Serving)
			if got := w.Serving(w.ns, service)[0].ID; got != id {
				t.Fatal("another id: an operator's order would not hold")
			}
			settle(2 * young)
		}
		w.Wipe()
		synctest.Wait()
		w.wantServing(1, 0)
		w.DeleteServing(w.ns, service, r.Addr())
		w.DeleteRoster(w.ns, service, r.Addr())
		synctest.Wait()
		w.wantServing(1, 0)
	})
}

func TestLostTimeAndAgainIsPaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, r := w.start(1, nil)
		defer p.close()
		settle(time.Second)
		before := p.driver.Requests()
		for range 6000 { // a minute in which every lease is lost within 10 ms
			w.ExpireLease(p.driver)
			settle(10 * time.Millisecond)
		}
		if n := p.driver.Requests() - before; n > 300 {
			t.Errorf("%d requests in a minute", n)
		}
		settle(3 * time.Second)
		wantState(t, r, health.Serving)
	})
}

func TestLeaseLostWhileUnfit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, r := w.start(1, nil)
		defer p.close()
		settle(time.Second)
		p.sick.Store(true)
		settle(time.Second)
		wantState(t, r, health.Withdrawn)
		w.ExpireLease(p.driver)
		settle(time.Second)
		wantState(t, r, health.Withdrawn)
		if c := w.Census(w.ns, service); c != (naming.Census{Alive: 1, Unfit: 1}) {
			t.Fatalf("%+v", c)
		}
	})
}

func TestTakenAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		log := &lines{}
		p, old := w.start(1, func(o *Options) { o.Logger = log.logger() })
		defer p.close()
		settle(time.Second)
		q, young := w.start(1, nil)
		defer q.close()
		settle(time.Minute)
		wantState(t, young, health.Serving)
		wantState(t, old, health.Waiting)
		if d := shown(p).Detail; !strings.Contains(d, "conflict") || !strings.Contains(d, old.Addr()) {
			t.Errorf("detail %q", d)
		}
		if n := log.count("conflict in the registry"); n != 1 {
			t.Errorf("%d lines about the conflict", n)
		}
		if n := countKind(w, namingtest.Taken); n != 1 {
			t.Errorf("taken %d times: they flap", n)
		}
		if err := young.Deregister(); err != nil {
			t.Fatal(err)
		}
		settle(2 * time.Second)
		wantState(t, old, health.Serving)
		if d := shown(p).Detail; d != "" {
			t.Errorf("detail %q", d)
		}
	})
}

func countKind(w *world, k namingtest.Kind) (n int) {
	for _, e := range w.History() {
		if e.Kind == k {
			n++
		}
	}
	return n
}

func TestStrangerOverwrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, r := w.start(1, nil)
		defer p.close()
		settle(time.Second)
		for range 2 {
			if err := w.PutForeign(w.ns, naming.Instance{Service: service, Addr: r.Addr()}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if d := shown(p).Detail; !strings.Contains(d, "conflict") {
			t.Errorf("detail %q", d)
		}
		w.DeleteServing(w.ns, service, r.Addr())
		synctest.Wait()
		if d := shown(p).Detail; d != "" {
			t.Errorf("detail %q", d)
		}
		w.wantServing(1, 0)
	})
}

// TestLostAnswers has every answer lost for a while: what the registry did all the same is put right.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Break(namingtest.LoseAnswer)
		p, r := w.start(1, nil)
		defer p.close()
		settle(5 * time.Second)
		wantState(t, r, health.Waiting)
		w.Break(namingtest.None)
		settle(2 * time.Second)
		wantState(t, r, health.Serving)
		w.Break(namingtest.LoseAnswer)
		p.sick.Store(true)
		settle(5 * time.Second)
		w.wantServing(0, 0) // done, unheard
		p.sick.Store(false)
		w.Break(namingtest.None)
		settle(2 * time.Second)
		wantState(t, r, health.Serving)
		w.wantServing(1, 0)
	})
}

func TestNothingIsAskedWhileNothingChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, r := w.start(1, nil)
		defer p.close()
		settle(time.Second)
		before := p.driver.Requests()
		settle(10 * time.Minute)
		if n := p.driver.Requests() - before; n != 0 {
			t.Errorf("%d requests in ten minutes of peace", n)
		}
		p.sick.Store(true)
		settle(time.Minute)
		wantState(t, r, health.Withdrawn)
		before = p.driver.Requests()
		settle(10 * time.Minute)
		if n := p.driver.Requests() - before; n < 100 || n > 400 {
			t.Errorf("%d looks in ten minutes", n)
		}
	})
}

func TestRosterTellsWhatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.process(func(o *Options) { o.Version = "v1.2.3" })
		defer p.close()
		bad := make(chan bool, 1)
		bad <- false
		advisory := health.Probe{
			Name: "cache", Level: health.Advisory, Interval: interval, Timeout: interval, FailureThreshold: 1, Jitter: 0.01,
			Check: flag(bad),
		}
		if err := p.monitor.Add(advisory); err != nil {
			t.Fatal(err)
		}
		p.monitor.Start()
		p.register(Spec{Service: service, Listen: tcp("10.0.0.1", 1), Weight: 3, Tags: map[string]string{"zone": "a"}})
		settle(5 * time.Second)
		want := func(state string, unfit bool, probes string) {
			t.Helper()
			m := w.Roster(w.ns, service)[0]
			if m.Status.State != state || m.Status.Unfit != unfit || fmt.Sprint(m.Status.Probes) != probes || m.Status.Version != "v1.2.3" ||
				m.Status.Started.IsZero() || m.Instance.Weight != 3 || m.Instance.Tags["zone"] != "a" {
				t.Fatalf("%+v", m)
			}
		}
		want("serving", false, "map[cache:ok db:ok]")
		<-bad
		bad <- true
		settle(time.Second)
		want("serving", false, "map[cache:failing db:ok]")
		p.sick.Store(true)
		settle(2 * interval)
		want("withdrawn", true, "map[cache:failing db:failing]")

		p.sick.Store(false)
		settle(time.Second)
		before := p.driver.Requests()
		for i := range 75 { // an advisory probe that flaps for a minute
			<-bad
			bad <- i%2 == 0
			settle(2 * interval)
		}
		if n := p.driver.Requests() - before; n < 10 || n > 61 {
			t.Errorf("%d requests in a minute of flapping", n)
		}
	})
}
