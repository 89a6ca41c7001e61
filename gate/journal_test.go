package gate

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

// total returns how many lines there are.
func (l *lines) total() int { return l.count("") }

// leftOut sums up what the summaries say was left out.
func (l *lines) leftOut(t *testing.T) (n int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.all {
		if _, s, ok := strings.Cut(s, "left_out="); ok {
			s, _, _ = strings.Cut(s, " ")
			k, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			n += k
		}
	}
	return n
}

// TestFlappingRegistryDoesNotFloodTheLog: with many registrations, each line is one of hundreds each time.
func TestFlappingRegistryDoesNotFloodTheLog(t *testing.T) {
	t.Parallel()
	const registrations, flaps = 50, 40
	for name, flap := range map[string]func(w *world, p *process){
		"the lease is lost": func(w *world, p *process) { w.ExpireLease(p.driver) },
		"the registry is away, too": func(w *world, p *process) {
			w.Break(namingtest.Refuse)
			w.ExpireLease(p.driver)
			settle(3 * time.Second)
			w.Break(namingtest.None)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				log := &lines{}
				p := w.process(func(o *Options) { o.Logger = log.logger() })
				p.monitor.Start()
				var all []*Registration
				for i := range registrations {
					all = append(all, p.register(Spec{Service: service, Listen: tcp("10.0.0.1", 1+i)}))
				}
				settle(10 * time.Second)
				if n := log.count("to=serving"); n != registrations {
					t.Errorf("%d lines say that somebody serves; the first time each one is news", n)
				}
				flap(w, p)
				settle(10 * time.Second)
				if n := log.count("from=serving to=waiting"); n != registrations {
					t.Errorf("%d lines say that somebody has lost the place; the first time each one is news", n)
				}
				before := log.total()
				for range flaps {
					flap(w, p)
					settle(10 * time.Second)
				}
				// Five messages, each twenty at once and then twelve a minute, and six summaries a minute.
				minutes := flaps * 13 / 60
				if n := log.total() - before; n > 5*(repeatBurst+12*minutes)+6*minutes {
					t.Errorf("%d lines in %d flaps of %d registrations", n, flaps, registrations)
				}
				settle(summaryPause)
				for _, r := range all {
					wantState(t, r, health.Serving)
				}
				said := log.count("registration changed")
				if n := log.leftOut(t); n < 2*registrations*(flaps+1)+registrations-said {
					t.Errorf("%d lines were left out, and %d transitions said", n, said)
				}
				if n := log.count(`now="50 serving"`); n == 0 {
					t.Errorf("nothing says where they stand in the end")
				}
				p.close()
				if n := log.count("to=gone"); n != registrations {
					t.Errorf("%d lines about the end", n)
				}
			})
		})
	}
}

// TestWhatIsLeftOutIsSaidAtTheEnd: a gate that is closed while something was left out says so.
func TestWhatIsLeftOutIsSaidAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		log := &lines{}
		p, r := w.start(1, func(o *Options) { o.Logger = log.logger(); o.Floor = naming.Floor{} })
		defer p.close()
		for p.gate.journal.mayRepeat(msgChanged) { // as others have used up all
		}
		for range 3 {
			settle(time.Second)
			p.sick.Store(!p.sick.Load())
		}
		settle(time.Second)
		if n := log.leftOut(t); n != 0 {
			t.Fatalf("%d were said to be left out already", n)
		}
		if err := r.Deregister(); err != nil {
			t.Fatal(err)
		}
		if n := log.leftOut(t); n != 1 {
			t.Errorf("%d were said to be left out, want 1", n)
		}
	})
}

// TestOneThatComesAndGoesIsLoggedEachTime: what a person has to see is there for each registration that flaps by itself.
func TestOneThatComesAndGoesIsLoggedEachTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		log := &lines{}
		p, _ := w.start(1, func(o *Options) { o.Logger = log.logger() })
		defer p.close()
		settle(time.Second)
		for range 60 {
			p.sick.Store(true)
			settle(15 * time.Second)
			p.sick.Store(false)
			settle(15 * time.Second)
		}
		if n := log.count("to=withdrawn"); n != 60 {
			t.Errorf("%d withdrawals in the log", n)
		}
		if n := log.count("from=withdrawn to=serving"); n != 60 {
			t.Errorf("%d returns in the log", n)
		}
	})
}
