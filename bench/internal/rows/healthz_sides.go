package rows

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	alex "github.com/alexliesenfeld/health"
	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/cloudwego/hertz/pkg/network"
	hello "github.com/hellofresh/health-go/v5"

	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/hertzext"
)

// staticBody is what Muster answers while all is well.
var staticBody = []byte(`{"db":"ok","redis":"ok"}`)

func well(context.Context) error { return nil }

func openHandlers(hang bool) (*handlers, error) {
	release := make(chan struct{})
	redis := well
	if hang {
		redis = func(context.Context) error { <-release; return nil }
	}
	m, err := health.New(health.Options{Logger: rig.Quiet()}, health.Probe{Name: "db", Check: well}, health.Probe{Name: "redis", Check: redis})
	if err != nil {
		return nil, err
	}
	m.Start()
	checker := alex.NewChecker(alex.WithTimeout(time.Second),
		alex.WithPeriodicCheck(5*time.Second, 0, alex.Check{Name: "db", Check: well, Timeout: time.Second}),
		alex.WithPeriodicCheck(5*time.Second, 0, alex.Check{Name: "redis", Check: redis, Timeout: time.Second}))
	h, err := hello.New(hello.WithChecks(
		hello.Config{Name: "db", Timeout: time.Second, Check: well}, hello.Config{Name: "redis", Timeout: time.Second, Check: redis}))
	if err != nil {
		return nil, err
	}
	if err := verdicts(m); err != nil {
		return nil, err
	}
	if hang {
		time.Sleep(1200 * time.Millisecond) // the others' timeouts are over, too
	}
	return &handlers{
		hertz: map[string]app.HandlerFunc{
			musterSide: hertzext.Healthz(m),
			staticSide: func(_ context.Context, c *app.RequestContext) {
				c.Response.Header.SetContentType("application/json; charset=utf-8")
				c.Response.SetStatusCode(http.StatusOK)
				c.Response.SetBodyRaw(staticBody)
				c.Abort()
			},
		},
		http: map[string]http.Handler{
			alexSide:  alex.NewHandler(checker),
			helloSide: h.Handler(),
			staticHTTPSide: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json; charset=utf-8")
				w.WriteHeader(http.StatusOK)
				_, _ = w.Write(staticBody)
			}),
		},
		close: func() { close(release); checker.Stop(); _ = m.Close() },
	}, nil
}

// verdicts waits until each probe has one.
func verdicts(m *health.Monitor) error {
	limit := time.After(patience)
	for {
		r, changed := m.Observe()
		if r.Probe("db").Word != health.WordUnknown && r.Probe("redis").Word != health.WordUnknown {
			return nil
		}
		select {
		case <-changed:
		case <-limit:
			return fmt.Errorf("the probes have no verdict within %v", patience)
		}
	}
}

// serve runs a server for each side, and returns where.
func (h *handlers) serve() (map[string]string, error) {
	hlog.SetLevel(hlog.LevelFatal)
	at := map[string]string{}
	for side, f := range h.hertz {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		s := server.New(server.WithListener(l), server.WithDisablePrintRoute(true))
		s.Use(f)
		go func() { _ = s.Run() }()
		at[side] = l.Addr().String()
	}
	for side, f := range h.http {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		mux := http.NewServeMux()
		mux.Handle("/healthz", f)
		go func() { _ = (&http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}).Serve(l) }()
		at[side] = l.Addr().String()
	}
	return at, nil
}

// fromLoopback is a connection of which only the peer is asked.
type fromLoopback struct{ network.Conn }

func (fromLoopback) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000}
}
