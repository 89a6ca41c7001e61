package hertzext

import (
	"context"
	"testing"
	"time"

	"github.com/cloudwego/hertz/pkg/app"

	"github.com/muster-go/muster/health"
)

// wellOrHung returns a running, settled monitor of two probes, one of which hangs if asked to.
func wellOrHung(tb testing.TB, hang bool) *health.Monitor {
	redis := health.Probe{Name: "redis", Check: pass, Interval: time.Hour}
	if hang {
		release := make(chan struct{})
		defer tb.Cleanup(func() { close(release) }) // registered last, so run before the monitor closes
		redis.Check = func(context.Context) error { <-release; return nil }
		redis.Timeout = time.Millisecond
	}
	m := monitor(tb, health.Probe{Name: "db", Check: pass, Interval: time.Hour}, redis)
	m.Start()
	deadline := time.After(10 * time.Second)
	for {
		r, changed := m.Observe()
		if r.Probe("db").Word != health.WordUnknown && r.Probe("redis").Word != health.WordUnknown {
			return m
		}
		select {
		case <-changed:
		case <-deadline:
			tb.Fatal("no verdict within 10 s")
		}
	}
}

func request(url string) *app.RequestContext {
	c := app.NewContext(0)
	c.SetConn(from{addr: loopback})
	c.Request.SetRequestURI("http://h" + url)
	return c
}

func TestAnswersAllocateNothing(t *testing.T) {
	for _, hang := range []bool{false, true} {
		h := Healthz(wellOrHung(t, hang))
		for _, url := range []string{"/healthz", "/healthz/db", "/healthz/redis", "/healthz/nobody", "/livez", "/readyz", "/startupz", "/users/7"} {
			c := request(url)
			ctx := context.Background()
			if n := testing.AllocsPerRun(1000, func() {
				h(ctx, c)
				c.Response.Reset() // as Hertz does between two requests of a connection
				c.SetIndex(-1)
			}); n != 0 {
				t.Errorf("%s, hung: %v: %v allocations", url, hang, n)
			}
		}
	}
}

func benchmark(b *testing.B, hang bool, url string) {
	h := Healthz(wellOrHung(b, hang))
	c := request(url)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		h(ctx, c)
		c.Response.Reset()
		c.SetIndex(-1)
	}
}

func BenchmarkHealthz(b *testing.B)     { benchmark(b, false, "/healthz") }
func BenchmarkHealthzHung(b *testing.B) { benchmark(b, true, "/healthz") }
func BenchmarkHealthzOne(b *testing.B)  { benchmark(b, false, "/healthz/db") }
func BenchmarkLivez(b *testing.B)       { benchmark(b, false, "/livez") }
func BenchmarkPassOn(b *testing.B)      { benchmark(b, false, "/users/7") }

// Through Hertz's engine a health check allocates what any request does, and nothing more.
func TestEngineAllocatesNoMore(t *testing.T) {
	through := func(h app.HandlerFunc) float64 {
		e := engine()
		e.Use(h)
		c := e.NewContext()
		c.SetConn(from{addr: loopback})
		c.Request.Header.SetHost("h")
		c.Request.SetRequestURI("/healthz")
		return testing.AllocsPerRun(1000, func() {
			e.ServeHTTP(context.Background(), c)
			c.Response.Reset()
			c.SetIndex(-1)
		})
	}
	nothing := through(func(_ context.Context, c *app.RequestContext) { c.AbortWithStatus(200) })
	healthz := through(Healthz(wellOrHung(t, false)))
	t.Logf("%v allocations, of which Hertz's own: %v", healthz, nothing)
	if healthz > nothing {
		t.Errorf("%v allocations, a handler that does nothing has %v", healthz, nothing)
	}
}

// BenchmarkContextReset is what the others pay to Hertz for a context that can be used again.
func BenchmarkContextReset(b *testing.B) {
	c := request("/healthz")
	b.ReportAllocs()
	for b.Loop() {
		c.Response.Reset()
	}
}
