package muster_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	hertzconfig "github.com/cloudwego/hertz/pkg/common/config"
	"github.com/cloudwego/hertz/pkg/common/ut"
	"github.com/cloudwego/hertz/pkg/route"
	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/hertzext"
	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/kitexext"
	"github.com/muster-go/muster/naming"
)

const patience = 30 * time.Second

type impl struct{}

func (*impl) Say(_ context.Context, r *echo.Request) (*echo.Response, error) {
	return &echo.Response{Message: r.Message}, nil
}

// database is a dependency that a test can break.
type database struct{ down atomic.Bool }

func (d *database) ping(context.Context) error {
	if d.down.Load() {
		return errors.New("connection refused by db.internal")
	}
	return nil
}

func (d *database) probe() health.Probe {
	return health.Probe{Name: "db", Check: d.ping, Interval: 300 * time.Millisecond, FailureThreshold: 2}
}

func fromEnv(t *testing.T, probes ...health.Probe) *muster.Muster {
	t.Helper()
	m, err := muster.FromEnv(t.Context(), probes...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// serve runs an echo server behind the gate and returns what stops it.
func serve(t *testing.T, m *muster.Muster) (stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	exit, ended := make(chan error, 1), make(chan error, 1)
	svr := echosvc.NewServer(&impl{}, server.WithListener(ln), server.WithExitSignal(func() <-chan error { return exit }),
		kitexext.WithRegistry(m.Gate, kitexext.Service("echo")))
	go func() { ended <- svr.Run() }()
	return func() {
		exit <- nil
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// seen hands out how many instances a client picks from, after each change.
func seen(pushes chan kitexext.Push) kitexext.ResolverOption {
	return kitexext.OnPush(func(p kitexext.Push) { pushes <- p })
}

func waitFor(t *testing.T, pushes <-chan kitexext.Push, n int) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case p := <-pushes:
			if p.Instances == n {
				return
			}
		case <-timeout.C:
			t.Fatalf("the client has not come to know of %d instances", n)
		}
	}
}

func healthz(e *route.Engine) (int, string) {
	r := ut.PerformRequest(e, "GET", "/healthz", nil).Result()
	return r.StatusCode(), string(r.Body())
}

// TestGatedFromEndToEnd walks the whole path: a probe's verdict decides what a Kitex client in another Muster may pick.
func TestGatedFromEndToEnd(t *testing.T) {
	node := etcdtest.Start(t)
	t.Setenv("MUSTER_ETCD_ENDPOINTS", node.Endpoint())
	t.Setenv("MUSTER_LEASE_TTL", "2s")
	t.Setenv("MUSTER_DRAIN_DELAY", "10ms")
	var db database
	server, client := fromEnv(t, db.probe()), fromEnv(t)

	h := route.NewEngine(hertzconfig.NewOptions(nil))
	h.Use(hertzext.Healthz(server.Health))
	pushes := make(chan kitexext.Push, 1000)
	cli, err := echosvc.NewClient("echo", kitexext.WithResolver(client.Catalog, seen(pushes)))
	if err != nil {
		t.Fatal(err)
	}
	call := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := cli.Say(ctx, &echo.Request{Message: "hello"})
		return err
	}
	if err := call(); err == nil {
		t.Fatal("a call succeeded before there was a server")
	}
	stop := serve(t, server)
	waitFor(t, pushes, 1)
	if err := call(); err != nil {
		t.Fatal(err)
	}
	if code, body := healthz(h); code != 200 || body != `{"db":"ok"}` {
		t.Errorf("/healthz = %d %s", code, body)
	}

	db.down.Store(true)
	waitFor(t, pushes, 0)
	if err := call(); err == nil {
		t.Error("an unfit instance was called")
	}
	if code, body := healthz(h); code != 503 || body != `{"db":"failing"}` {
		t.Errorf("/healthz = %d %s", code, body)
	}
	db.down.Store(false)
	waitFor(t, pushes, 1)
	if err := call(); err != nil {
		t.Error(err)
	}

	stop()
	waitFor(t, pushes, 0)
	r, err := node.Client().Leases(t.Context())
	if err != nil || len(r.Leases) != 0 {
		t.Errorf("after the stop: leases %v, %v", r, err)
	}
}

// TestStartsWithoutEtcd: server and client go on, the state says so, and everything falls into place when etcd comes.
func TestStartsWithoutEtcd(t *testing.T) {
	node := etcdtest.Start(t)
	node.Stop()
	t.Setenv("MUSTER_ETCD_ENDPOINTS", node.Endpoint())
	var db database
	m := fromEnv(t, db.probe())
	stop := serve(t, m)
	defer stop()

	report, changed := m.Health.Observe()
	for len(report.Registrations) == 0 {
		<-changed
		report, changed = m.Health.Observe()
	}
	if r := report.Registrations[0]; r.State != health.Waiting || !report.Ready {
		t.Errorf("registration %+v, ready %v: want waiting, and a process that is ready all the same", r, report.Ready)
	}
	node.Start()
	for report.Registrations[0].State != health.Serving {
		select {
		case <-changed:
			report, changed = m.Health.Observe()
		case <-time.After(patience):
			t.Fatalf("still %v", report.Registrations[0])
		}
	}
}

func TestProtectedNamespaceRefusesBothSides(t *testing.T) {
	t.Setenv("MUSTER_NAMESPACE", "prod")
	for _, confirm := range []string{"", "prdo"} {
		t.Setenv("MUSTER_CONFIRM_NAMESPACE", confirm)
		_, err := muster.FromEnv(t.Context())
		if !errors.Is(err, naming.ErrProtected) || !strings.Contains(err.Error(), "MUSTER_CONFIRM_NAMESPACE") {
			t.Errorf("confirmed with %q: %v", confirm, err)
		}
	}
}

func TestBadProbesAreRefused(t *testing.T) {
	ok := func(context.Context) error { return nil }
	for name, probes := range map[string][]health.Probe{
		"no name":   {{Check: ok}},
		"duplicate": {{Name: "db", Check: ok}, {Name: "db", Check: ok}},
		"no check":  {{Name: "db"}},
	} {
		if m, err := muster.FromEnv(t.Context(), probes...); err == nil {
			t.Errorf("%s: accepted", name)
			_ = m.Close()
		}
	}
}
