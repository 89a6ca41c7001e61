package kitexext

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/health"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

// process is one process of a test: a gate over a registry in memory, with one critical probe.
type process struct {
	t       testing.TB
	reg     *namingtest.Registry
	ns      naming.Namespace
	driver  *namingtest.Driver
	monitor *health.Monitor
	gate    *gate.Gate
	sick    atomic.Bool
}

func newProcess(tb testing.TB) *process {
	tb.Helper()
	ns, err := naming.NewNamespace("dev", "")
	if err != nil {
		tb.Fatal(err)
	}
	p := &process{t: tb, reg: namingtest.NewRegistry(), ns: ns}
	p.driver = p.reg.Driver(ns)
	p.monitor, err = health.New(health.Options{Logger: quiet()}, health.Probe{
		Name: "db", Interval: 10 * time.Millisecond, FailureThreshold: 1,
		Check: func(context.Context) error {
			if p.sick.Load() {
				return errors.New("broken")
			}
			return nil
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	p.gate, err = gate.New(gate.Options{
		Registrar: p.driver, Monitor: p.monitor, Namespace: ns, DrainDelay: 100 * time.Millisecond, Logger: quiet(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	p.monitor.Start()
	tb.Cleanup(func() {
		_ = p.gate.Close()
		_ = p.monitor.Close()
		_ = p.driver.Close()
	})
	return p
}

// lists waits until the registry lists so many instances of a service, and returns them.
func (p *process) lists(service string, n int) []*naming.Instance {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	d := p.reg.Driver(p.ns)
	defer d.Close()
	var last []*naming.Instance
	_ = d.Watch(ctx, service, func(u naming.Update) {
		if last = u.Snapshot.Instances; len(last) == n {
			cancel()
		}
	})
	if len(last) != n {
		p.t.Fatalf("%d instances of %s, want %d", len(last), service, n)
	}
	return last
}

// stands waits until the process has one registration, in that state.
func (p *process) stands(want health.Lifecycle) {
	p.t.Helper()
	limit := time.After(10 * time.Second)
	for {
		report, changed := p.monitor.Observe()
		if r := report.Registrations; len(r) == 1 && r[0].State == want {
			return
		}
		select {
		case <-changed:
		case <-limit:
			p.t.Fatalf("registrations %+v, want one that is %v", report.Registrations, want)
		}
	}
}

// did waits until the registry has seen an event of that kind, and returns when it was.
func (p *process) did(kind namingtest.Kind) time.Time {
	p.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(10 * time.Second)
	for {
		for _, e := range p.reg.History() {
			if e.Kind == kind {
				return e.At
			}
		}
		select {
		case <-tick.C:
		case <-limit:
			p.t.Fatalf("nobody has %s", kind)
		}
	}
}

// running is a server that runs.
type runningServer struct {
	addr  string
	exit  chan error
	ended chan error
	once  sync.Once
}

// start runs an echo server on a port of its own.
func start(tb testing.TB, opts ...server.Option) *runningServer {
	tb.Helper()
	ln := listen(tb)
	s := &runningServer{addr: ln.Addr().String(), exit: make(chan error, 1), ended: make(chan error, 1)}
	opts = append([]server.Option{
		server.WithListener(ln), server.WithExitWaitTime(10 * time.Millisecond),
		server.WithExitSignal(func() <-chan error { return s.exit }),
	}, opts...)
	svr := echosvc.NewServer(&echoServer{"me"}, opts...)
	go func() { s.ended <- svr.Run() }()
	tb.Cleanup(func() { s.stop(tb) })
	return s
}

// stop does what a signal does, and waits for the end of Run.
func (s *runningServer) stop(tb testing.TB) {
	tb.Helper()
	s.once.Do(func() {
		s.exit <- nil
		if err := s.wait(tb); err != nil {
			tb.Errorf("Run: %v", err)
		}
	})
}

func (s *runningServer) wait(tb testing.TB) error {
	tb.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(10 * time.Second):
		tb.Fatal("the server does not stop")
		return nil
	}
}
