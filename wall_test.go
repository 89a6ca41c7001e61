package muster_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/kitexext"
	"github.com/muster-go/muster/naming"
)

// where answers each call with the namespace that it serves in.
type where struct{ name string }

func (w *where) Say(context.Context, *echo.Request) (*echo.Response, error) {
	return &echo.Response{Message: w.name}, nil
}

// side is one namespace within the process: a server and a client of the same service.
type side struct {
	name   string
	client echosvc.Client
	pushes chan kitexext.Push
	stop   func()
}

func newSide(t *testing.T, name string) *side {
	t.Helper()
	t.Setenv("MUSTER_NAMESPACE", name)
	m := fromEnv(t)
	if got := m.Namespace().Name(); got != name {
		t.Fatalf("in %s, want %s", got, name)
	}
	s := &side{name: name, pushes: make(chan kitexext.Push, 1000)}
	var err error
	if s.client, err = echosvc.NewClient("echo", kitexext.WithResolver(m.Catalog, seen(s.pushes))); err != nil {
		t.Fatal(err)
	}
	if got, err := s.ask(t); err == nil {
		t.Fatalf("%s answered before there was a server in %s", got, name)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	exit, ended := make(chan error, 1), make(chan error, 1)
	svr := echosvc.NewServer(&where{name}, server.WithListener(ln), server.WithExitSignal(func() <-chan error { return exit }),
		kitexext.WithRegistry(m.Gate, kitexext.Service("echo")))
	go func() { ended <- svr.Run() }()
	s.stop = sync.OnceFunc(func() {
		exit <- nil
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.stop)
	waitFor(t, s.pushes, 1)
	return s
}

func (s *side) ask(t *testing.T) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := s.client.Say(ctx, &echo.Request{})
	if err != nil {
		return "", err
	}
	return r.Message, nil
}

// TestTwoNamespacesInOneProcess: two clients and two servers of one service name, in dev and in staging. Kitex shares
// balancers between clients for the whole process; no call may go across, nor may one when the own side has nobody left.
func TestTwoNamespacesInOneProcess(t *testing.T) {
	node := etcdtest.Start(t)
	t.Setenv("MUSTER_ETCD_ENDPOINTS", node.Endpoint())
	t.Setenv("MUSTER_DRAIN_DELAY", "10ms")
	sides := []*side{newSide(t, "dev"), newSide(t, "staging")}
	const workers = 8
	calls := int64(10_000)
	if testing.Short() {
		calls = 1000
	}
	var across, failed, done atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for w := range workers {
		s := sides[w%len(sides)]
		wg.Go(func() {
			for range calls / workers {
				switch got, err := s.ask(t); {
				case err != nil:
					failed.Add(1)
					t.Logf("%s: %v", s.name, err)
				case got != s.name:
					across.Add(1)
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	t.Logf("%d calls in %v: %d across, %d failed", done.Load(), time.Since(began), across.Load(), failed.Load())
	if done.Load() != calls || across.Load() != 0 || failed.Load() != 0 {
		t.Errorf("%d calls, %d across, %d failed; want %d, 0, 0", done.Load(), across.Load(), failed.Load(), calls)
	}

	dev, staging := sides[0], sides[1]
	staging.stop()
	waitFor(t, staging.pushes, 0)
	for range 100 {
		if got, err := staging.ask(t); err == nil {
			t.Fatalf("with nobody in staging, %s answered", got)
		}
		if got, err := dev.ask(t); err != nil || got != "dev" {
			t.Fatalf("dev: %q, %v", got, err)
		}
	}
}

// TestHonestMistakeWithoutRoles: on an etcd that asks nobody for a user, a variable that was left behind does not lead into
// prod: neither side starts, with the second variable's name in the message, and etcd hears of nothing.
func TestHonestMistakeWithoutRoles(t *testing.T) {
	node := etcdtest.Start(t)
	cli := node.Client()
	before, err := cli.Get(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("MUSTER_ETCD_ENDPOINTS", node.Endpoint())
	for _, name := range naming.DefaultProtected() {
		t.Setenv("MUSTER_NAMESPACE", name)
		for _, confirm := range []string{"", name + "x", strings.ToUpper(name), name + " ", "dev"} {
			t.Setenv("MUSTER_CONFIRM_NAMESPACE", confirm)
			m, err := muster.FromEnv(t.Context())
			if !errors.Is(err, naming.ErrProtected) || !strings.Contains(err.Error(), "MUSTER_CONFIRM_NAMESPACE") {
				t.Errorf("%s confirmed with %q: %v", name, confirm, err)
			}
			if m != nil {
				t.Errorf("%s confirmed with %q was entered", name, confirm)
				_ = m.Close()
			}
			// A program that ignores the error and goes on with what it was given, or makes the Config itself, gets no further.
			cfg, _ := muster.ParseEnv()
			if m, err := muster.New(t.Context(), cfg); !errors.Is(err, naming.ErrProtected) {
				t.Errorf("%s confirmed with %q: New = %v, %v", name, confirm, m, err)
			}
		}
	}
	// Nor is a Config that was made by hand a way around.
	prod, err := naming.NewNamespace("prod", "")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := muster.New(t.Context(), muster.Config{Namespace: prod}); !errors.Is(err, naming.ErrProtected) {
		t.Errorf("New = %v, %v", m, err)
	}
	after, err := cli.Get(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	leases, err := cli.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if before.Header.Revision != after.Header.Revision || len(leases.Leases) > 0 {
		t.Errorf("etcd was written to: revision %d, then %d; leases %v", before.Header.Revision, after.Header.Revision, leases.Leases)
	}

	t.Setenv("MUSTER_NAMESPACE", "prod")
	t.Setenv("MUSTER_CONFIRM_NAMESPACE", "prod")
	if m := fromEnv(t); m.Namespace().Name() != "prod" {
		t.Errorf("confirmed, but in %v", m.Namespace())
	}
}
