package rows

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"github.com/cloudwego/hertz/pkg/app"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
)

const (
	inProcess = "in process"
	loopback  = "over loopback, 1 connection"

	allWell = "all well"
	oneHung = "one dependency hung"

	timeFigure  = "time of one answer"
	allocFigure = "allocations of one answer"

	staticSide     = "static Hertz handler"
	staticHTTPSide = "static net/http handler"
	alexSide       = "alexliesenfeld/health"
	helloSide      = "hellofresh/health-go"
)

// Healthz measures what a health check costs the process that answers it.
func Healthz(e *rig.Env, row *report.Row) error {
	row.What = "Two dependencies, db and redis; then one that ignores its context and hangs. In process a handler is called with " +
		"a request that is there already, and a response that is thrown away: the response's reset is in. Over loopback one " +
		"connection of HTTP/1.1 asks again and again a server in a process of its own; all servers run in that process, and are " +
		"asked in turns. Muster and the static handler are Hertz's; the others are net/http's, which a static handler of " +
		"net/http stands beside. Last, one check alone that hangs for a thousand intervals: how many goroutines there are at most, beside those before."
	row.Peers = append(row.Peers,
		"alexliesenfeld/health v0.8.1: WithPeriodicCheck every 5 s with a timeout of 1 s, so that no request runs a check, in "+
			"net/http as its documentation shows. With WithCheck, which it caches for a second, the first request after a second waits for the checks.",
		"hellofresh/health-go v5.5.5: both checks with a timeout of 1 s, in net/http as its documentation shows; it has nothing that "+
			"checks in the background.")
	if err := healthzInProcess(e, row); err != nil {
		return err
	}
	if err := healthzOverLoopback(e, row); err != nil {
		return err
	}
	if err := hang(e, row); err != nil {
		return err
	}
	for _, c := range []string{inProcess + ", " + allWell, inProcess + ", " + oneHung} {
		for _, side := range []string{alexSide, helloSide} {
			x := row.Compare(c, timeFigure, musterSide, side, "p50")
			x.Draw("/healthz, " + c + ", beside " + side)
		}
	}
	for _, c := range []string{inProcess + ", " + allWell, inProcess + ", " + oneHung} {
		row.AtMost(c, timeFigure, musterSide, "p50", 300)
		row.AtMost(c, allocFigure, musterSide, "p50", 0)
	}
	row.CompareCases(timeFigure, musterSide, inProcess+", "+oneHung, inProcess+", "+allWell).AtMost(1.1)
	row.CompareCases(timeFigure, musterSide, loopback+", "+oneHung, loopback+", "+allWell)
	for _, hang := range []string{allWell, oneHung} {
		c := loopback + ", " + hang
		row.Compare(c, timeFigure, musterSide, staticSide, "pairs").Draw("/healthz, " + c + ", beside " + staticSide)
		for _, side := range []string{alexSide, helloSide} {
			row.Compare(c, timeFigure, musterSide, side, "p50")
		}
		row.Compare(c, timeFigure, staticSide, staticHTTPSide, "pairs")
	}
	return nil
}

// handlers are all sides, with all well or one dependency hung.
type handlers struct {
	hertz map[string]app.HandlerFunc
	http  map[string]http.Handler
	close func()
}

var healthSides = []string{musterSide, staticSide, alexSide, helloSide, staticHTTPSide}

func healthzInProcess(e *rig.Env, row *report.Row) error {
	for _, hang := range []bool{false, true} {
		c := inProcess + ", " + allWell
		if hang {
			c = inProcess + ", " + oneHung
		}
		e.Log("%s", c)
		hs, err := openHandlers(hang)
		if err != nil {
			return err
		}
		for range e.Reps(12, 1) {
			for _, side := range healthSides {
				if hang && side == helloSide {
					continue // each answer takes a second: below
				}
				ns, allocs := timeCalls(hs.caller(side), e.Reps(20000, 200))
				row.Add(c, timeFigure, side, report.Nanoseconds, ns)
				row.Add(c, allocFigure, side, report.Count, allocs)
			}
		}
		if hang {
			call := hs.caller(helloSide)
			before := runtime.NumGoroutine()
			n := e.Reps(3, 1)
			for range n {
				start := time.Now()
				call()
				row.Add(c, timeFigure, helloSide, report.Nanoseconds, float64(time.Since(start)))
			}
			row.Note("hellofresh/health-go runs its checks in each request, and holds a lock while it waits for one that hangs: %d "+
				"requests left %d goroutines behind. Muster's probe that hangs has one goroutine, however often it is asked.", n, runtime.NumGoroutine()-before)
		}
		hs.close()
	}
	return nil
}

// timeCalls returns nanoseconds and allocations of one call.
func timeCalls(call func(), n int) (ns, allocs float64) {
	for range n / 10 {
		call()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range n {
		call()
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	return float64(took) / float64(n), float64((after.Mallocs - before.Mallocs) / uint64(n))
}

// caller returns what asks a side once.
func (h *handlers) caller(side string) func() {
	if f, ok := h.hertz[side]; ok {
		c := app.NewContext(0)
		c.SetConn(fromLoopback{})
		c.Request.SetRequestURI("http://h/healthz")
		ctx := context.Background()
		return func() {
			f(ctx, c)
			c.Response.Reset()
			c.SetIndex(-1)
		}
	}
	f := h.http[side]
	r, err := http.NewRequest(http.MethodGet, "http://h/healthz", nil)
	if err != nil {
		panic(err) // a constant
	}
	w := &nobody{header: http.Header{}}
	return func() {
		f.ServeHTTP(w, r)
		clear(w.header)
	}
}

// nobody is a response that is thrown away.
type nobody struct{ header http.Header }

func (n *nobody) Header() http.Header         { return n.header }
func (n *nobody) Write(b []byte) (int, error) { return len(b), nil }
func (n *nobody) WriteHeader(int)             {}

// healthServers runs all sides' servers in a child.
func healthServers() rig.Ops {
	var hs *handlers
	return rig.Ops{
		"serve": rig.Op(func(hang bool) (map[string]string, error) {
			var err error
			if hs, err = openHandlers(hang); err != nil {
				return nil, err
			}
			return hs.serve()
		}),
		"usage": rig.Op(func(struct{}) (rig.Usage, error) { return rig.Use(), nil }),
	}
}

func healthzOverLoopback(e *rig.Env, row *report.Row) error {
	for _, hang := range []bool{false, true} {
		c := loopback + ", " + allWell
		if hang {
			c = loopback + ", " + oneHung
		}
		e.Log("%s", c)
		child, err := e.Start("health-servers")
		if err != nil {
			return err
		}
		var at map[string]string
		if err := child.Ask("serve", hang, &at); err != nil {
			return err
		}
		askers := map[string]*asker{}
		for side, addr := range at {
			a, err := newAsker(addr)
			if err != nil {
				return fmt.Errorf("%s: %w", side, err)
			}
			defer a.conn.Close()
			askers[side] = a
		}
		reps, each := e.Reps(15, 2), e.Reps(1500, 20)
		for rep := range reps {
			for _, side := range healthSides {
				n := each
				if hang && side == helloSide {
					if rep >= 3 {
						continue
					}
					n = 1
				}
				ns, err := askers[side].times(n)
				if err != nil {
					return fmt.Errorf("%s: %w", side, err)
				}
				// One value for each turn: its median, so that turns can be paired.
				row.Add(c, timeFigure, side, report.Nanoseconds, median(ns))
				if n > 1 {
					row.Add(c, "p99 of a turn", side, report.Nanoseconds, p99(ns))
				}
			}
		}
		child.Kill()
	}
	return nil
}
