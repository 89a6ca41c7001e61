package hertzext

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/common/ut"
	"github.com/cloudwego/hertz/pkg/route"

	"github.com/muster-go/muster/health"
)

// want is one line of the contract.
type want struct {
	path   string
	code   int
	status string
	body   string
}

func (w want) check(t *testing.T, e *route.Engine) {
	t.Helper()
	code, status, body := do(e, http.MethodGet, w.path)
	if code != w.code || status != w.status || body != w.body {
		t.Errorf("GET %s: %d %q %s, want %d %q %s", w.path, code, status, body, w.code, w.status, w.body)
	}
}

// both runs a test against the middleware and against routes.
func both(t *testing.T, f func(t *testing.T, mount func(m *health.Monitor, opts ...Option) *route.Engine)) {
	t.Run("middleware", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f(t, func(m *health.Monitor, opts ...Option) *route.Engine {
				e := engine()
				e.Use(Healthz(m, opts...))
				return e
			})
		})
	})
	t.Run("routes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f(t, func(m *health.Monitor, opts ...Option) *route.Engine {
				e := engine()
				Routes(e, m, opts...)
				return e
			})
		})
	})
}

func TestContract(t *testing.T) {
	both(t, func(t *testing.T, mount func(*health.Monitor, ...Option) *route.Engine) {
		var db, search dial
		m := monitor(t,
			health.Probe{Name: "redis", Check: pass},
			health.Probe{Name: "db", Check: db.check, FailureThreshold: 1},
			health.Probe{Name: "search", Check: search.check, Level: health.Advisory, FailureThreshold: 1},
			health.Probe{Name: "old", Check: pass, Disabled: true})
		e := mount(m)
		all := func(ws ...want) {
			t.Helper()
			for _, w := range ws {
				w.check(t, e)
			}
		}
		alive := want{"/livez", 200, "ok", `{"scheduler":"ok"}`}
		all(
			want{"/healthz", 503, "starting", `{"db":"unknown","old":"disabled","redis":"unknown","search":"unknown"}`},
			want{"/healthz/db", 503, "starting", `{"db":"unknown"}`},
			want{"/readyz", 503, "starting", `{"db":"unknown","old":"disabled","redis":"unknown"}`},
			want{"/startupz", 503, "starting", `{"startup":"unknown"}`},
			alive,
		)
		m.Start()
		after(time.Second)
		started := want{"/startupz", 200, "ok", `{"startup":"ok"}`}
		all(
			want{"/healthz", 200, "ok", `{"db":"ok","old":"disabled","redis":"ok","search":"ok"}`},
			want{"/healthz/", 200, "ok", `{"db":"ok","old":"disabled","redis":"ok","search":"ok"}`},
			want{"/healthz/db/", 200, "ok", `{"db":"ok"}`},
			want{"/healthz/x/db", 404, "", `{"error":"no such probe"}`},
			want{"/healthz/old", 200, "ok", `{"old":"disabled"}`},
			want{"/readyz", 200, "ok", `{"db":"ok","old":"disabled","redis":"ok"}`},
			started, alive,
			want{"/healthz/nobody", 404, "", `{"error":"no such probe"}`},
			want{"/healthz/DB", 404, "", `{"error":"no such probe"}`},
		)
		search.set(errors.New("boom"))
		after(5 * time.Second)
		all(
			want{"/healthz", 200, "degraded", `{"db":"ok","old":"disabled","redis":"ok","search":"failing"}`},
			want{"/healthz/search", 503, "failing", `{"search":"failing"}`},
			want{"/healthz/db", 200, "ok", `{"db":"ok"}`},
			want{"/readyz", 200, "degraded", `{"db":"ok","old":"disabled","redis":"ok"}`},
		)
		db.set(context.DeadlineExceeded)
		after(5 * time.Second)
		all(
			want{"/healthz", 503, "failing", `{"db":"timeout","old":"disabled","redis":"ok","search":"failing"}`},
			want{"/healthz/db", 503, "failing", `{"db":"timeout"}`},
			want{"/readyz", 503, "failing", `{"db":"timeout","old":"disabled","redis":"ok"}`},
			started, alive,
		)
		s := m.Attach(health.Registration{Service: "user-svc", Addr: "10.0.0.1:8888", State: health.Held})
		all(
			want{"/healthz", 200, "degraded", `{"db":"timeout","old":"disabled","redis":"ok","search":"failing"}`},
			want{"/readyz", 200, "degraded", `{"db":"timeout","old":"disabled","redis":"ok"}`},
		)
		db.set(health.Degraded(errors.New("lag")))
		search.set(nil)
		after(5 * time.Second)
		all(
			want{"/healthz", 200, "degraded", `{"db":"degraded","old":"disabled","redis":"ok","search":"ok"}`},
			want{"/healthz/db", 200, "degraded", `{"db":"degraded"}`},
		)
		s.Set(health.Registration{Service: "user-svc", Addr: "10.0.0.1:8888", State: health.Draining})
		all(
			want{"/healthz", 503, "draining", `{"db":"degraded","old":"disabled","redis":"ok","search":"ok"}`},
			want{"/readyz", 503, "draining", `{"db":"degraded","old":"disabled","redis":"ok"}`},
			started, alive,
		)
		m.Close()
		after(time.Hour)
		all(
			want{"/healthz", 503, "draining", `{"db":"stale","old":"disabled","redis":"stale","search":"stale"}`},
			want{"/healthz/redis", 503, "failing", `{"redis":"stale"}`},
		)
	})
}

func TestMethodsAndHeaders(t *testing.T) {
	both(t, func(t *testing.T, mount func(*health.Monitor, ...Option) *route.Engine) {
		m := monitor(t, health.Probe{Name: "db", Check: pass})
		m.Start()
		after(time.Second)
		e := mount(m)
		for _, path := range []string{"/healthz", "/healthz/db", "/healthz/nobody", "/livez", "/readyz", "/startupz"} {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
				r := ut.PerformRequest(e, method, "http://h"+path, nil).Result()
				wantCode := 200
				switch {
				case method != "GET" && method != "HEAD":
					wantCode = 405
				case path == "/healthz/nobody":
					wantCode = 404
				}
				if r.StatusCode() != wantCode {
					t.Errorf("%s %s: %d, want %d", method, path, r.StatusCode(), wantCode)
				}
				if allow := string(r.Header.Peek("Allow")); (wantCode == 405) != (allow == "GET, HEAD") {
					t.Errorf("%s %s: Allow: %q", method, path, allow)
				}
				for k, v := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Type": "application/json; charset=utf-8"} {
					if got := string(r.Header.Peek(k)); got != v {
						t.Errorf("%s %s: %s: %q, want %q", method, path, k, got, v)
					}
				}
			}
		}
	})
}

func TestPrefix(t *testing.T) {
	both(t, func(t *testing.T, mount func(*health.Monitor, ...Option) *route.Engine) {
		m := monitor(t)
		m.Start()
		for _, prefix := range []string{"/ops", "ops/", "//ops//"} {
			e := mount(m, WithPrefix(prefix))
			want{"/ops/healthz", 200, "ok", "{}"}.check(t, e)
			want{"/ops/livez", 200, "ok", `{"scheduler":"ok"}`}.check(t, e)
			if code, status, _ := do(e, "GET", "/healthz"); code != 404 || status != "" {
				t.Errorf("without the prefix: %d %q", code, status)
			}
		}
		want{"/healthz", 200, "ok", "{}"}.check(t, mount(m, WithPrefix("/"), nil))
	})
}

func TestRoutesOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Probe{Name: "db", Check: pass})
		m.Start()
		after(0)
		e := engine()
		Routes(e.Group("/a/healthz"), m) // the group's own path may look like one of ours
		want{"/a/healthz/healthz", 200, "ok", `{"db":"ok"}`}.check(t, e)
		want{"/a/healthz/healthz/db", 200, "ok", `{"db":"ok"}`}.check(t, e)
		want{"/a/healthz/readyz", 200, "ok", `{"db":"ok"}`}.check(t, e)
	})
}

func TestMiddlewarePassesTheRestOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := engine()
		e.Use(Healthz(nil))
		var behind int
		e.Use(func(ctx context.Context, c *app.RequestContext) { behind++; c.Next(ctx) })
		e.GET("/users/:id", func(_ context.Context, c *app.RequestContext) { c.String(200, c.Param("id")) })
		for path, code := range map[string]int{"/users/7": 200, "/": 404, "/healthzz": 404, "/health": 404, "/livez/x": 404, "/x/healthz": 404} {
			if got, status, _ := do(e, "GET", path); got != code || status != "" {
				t.Errorf("GET %s: %d %q, want %d from behind", path, got, status, code)
			}
		}
		if behind != 6 {
			t.Errorf("%d requests passed on, want 6", behind)
		}
		want{"/healthz", 503, "starting", "{}"}.check(t, e) // a nil monitor is never started
		want{"/healthz/a/b", 404, "", `{"error":"no such probe"}`}.check(t, e)
		if behind != 6 {
			t.Error("an answered request was passed on")
		}
	})
}

func TestBodyIsStableOverHealthyRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Probe{Name: "redis", Check: pass}, health.Probe{Name: "db", Check: pass})
		m.Start()
		after(time.Second)
		h := Healthz(m)
		first := ask(h, loopback, "/healthz").Response.Body()
		full := string(ask(h, loopback, "/healthz?verbose").Response.Body())
		for m.Report().Probe("db").Runs < 1000 {
			after(5 * time.Second)
			body := ask(h, loopback, "/healthz").Response.Body()
			if string(body) != `{"db":"ok","redis":"ok"}` {
				t.Fatalf("after %d runs: %s", m.Report().Probe("db").Runs, body)
			}
			if &body[0] != &first[0] {
				t.Fatal("encoded again although nothing has changed")
			}
		}
		if string(ask(h, loopback, "/healthz?verbose").Response.Body()) == full {
			t.Error("the full report still shows the first run")
		}
	})
}
