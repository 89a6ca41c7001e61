package kitexext

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudwego/kitex/pkg/registry"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
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

// A server is listed while it is fit, is called over TCP, and answers while it drains.
func TestAServerBehindTheGate(t *testing.T) {
	p := newProcess(t)
	p.sick.Store(true)
	s := start(t, WithRegistry(p.gate, Service("echo"), Weight(30), Tags(map[string]string{"zone": "a"}),
		DrainDelay(500*time.Millisecond)))
	p.lists("echo", 0)
	p.sick.Store(false)
	got := p.lists("echo", 1)[0]
	if got.Addr != s.addr || got.Weight != 30 || got.Tags["zone"] != "a" || got.Network != "tcp" {
		t.Errorf("registered %+v, want %s", got, s.addr)
	}
	c, err := catalog.New(p.driver, catalog.Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cli := newClient(t, WithResolver(c))
	if by, err := say(t, cli); err != nil || by != "me" {
		t.Fatalf("%q, %v", by, err)
	}
	p.sick.Store(true)
	p.lists("echo", 0)
	p.sick.Store(false)
	p.lists("echo", 1)

	direct := newClient(t)
	begin := time.Now()
	s.once.Do(func() { s.exit <- nil })
	p.lists("echo", 0)
	if by, err := sayTo(t, direct, s.addr); err != nil || by != "me" {
		t.Errorf("a call while the server drains: %q, %v", by, err)
	}
	if err := s.wait(t); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < 500*time.Millisecond {
		t.Errorf("drained in %v", took)
	}
}

// The gate's own names, with Kitex's basic info, before and after the option.
func TestTheNameOfAServer(t *testing.T) {
	p := newProcess(t)
	basic := server.WithServerBasicInfo(&rpcinfo.EndpointBasicInfo{ServiceName: "by-kitex", Tags: map[string]string{"rack": "r1"}})
	start(t, basic, WithRegistry(p.gate))
	start(t, WithRegistry(p.gate), basic)
	for _, in := range p.lists("by-kitex", 2) {
		if in.Tags["rack"] != "r1" {
			t.Errorf("tags %q", in.Tags)
		}
	}
	// Kitex's own options, and so its traces, know the name that only the option sets; the user's info stays as it is.
	user := &rpcinfo.EndpointBasicInfo{Tags: map[string]string{"rack": "r2"}}
	var o *server.Options
	start(t, server.WithServerBasicInfo(user), WithRegistry(p.gate, Service("by-option")), peek(&o))
	if in := p.lists("by-option", 1)[0]; in.Tags["rack"] != "r2" {
		t.Errorf("tags %q", in.Tags)
	}
	if o.Svr.ServiceName != "by-option" || user.ServiceName != "" {
		t.Errorf("Kitex's name is %q, the user's %q", o.Svr.ServiceName, user.ServiceName)
	}
	start(t, WithRegistry(p.gate, Service("by-option")), server.WithServerBasicInfo(user))
	p.lists("by-option", 2)
}

// One value of the option registers each of its servers, and one server under several names.
func TestOneOptionForSeveralServers(t *testing.T) {
	p := newProcess(t)
	option := WithRegistry(p.gate, Service("echo"), FurtherServices("echo.v2", "echo.admin"))
	one, two := start(t, option), start(t, option)
	want := []string{one.addr, two.addr}
	slices.Sort(want)
	for _, service := range []string{"echo", "echo.v2", "echo.admin"} {
		var got []string
		for _, in := range p.lists(service, 2) {
			got = append(got, in.Addr)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s at %q, want %q", service, got, want)
		}
	}
	one.stop(t)
	for _, service := range []string{"echo", "echo.v2", "echo.admin"} {
		if got := p.lists(service, 1)[0].Addr; got != two.addr {
			t.Errorf("%s at %s, want %s", service, got, two.addr)
		}
	}
}

// A wrong configuration ends the server, with an error that says what to do.
func TestAServerThatCannotBeRegistered(t *testing.T) {
	p := newProcess(t)
	for _, tt := range []struct {
		opts []server.Option
		want string
	}{
		{[]server.Option{WithRegistry(p.gate)}, "kitexext.Service"},
		{[]server.Option{WithRegistry(nil, Service("echo"))}, "nil gate"},
		{[]server.Option{WithRegistry(p.gate, Service("a/b"))}, "'/'"},
		{[]server.Option{WithRegistry(p.gate, Service("echo"), FurtherServices(""))}, "no name"},
		{[]server.Option{WithRegistry(p.gate, Service("echo"), DrainDelay(-1))}, "DrainDelay"},
		{[]server.Option{WithRegistry(p.gate, Service("echo"), Advertise("169.254.1.1"))}, "link-local"},
		{[]server.Option{WithRegistry(p.gate, Service("echo"), Weight(-1))}, "weight"},
		{[]server.Option{WithRegistry(p.gate, Service("echo"), Tags(map[string]string{"muster.x": "y"}))}, "muster."},
		{[]server.Option{
			WithRegistry(p.gate, Service("echo")), server.WithServerBasicInfo(&rpcinfo.EndpointBasicInfo{ServiceName: "other"}),
		}, `"other"`},
	} {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			s := start(t, tt.opts...)
			s.once.Do(func() {})
			if err := s.wait(t); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Run: %v, want an error with %s", err, tt.want)
			}
		})
	}
	t.Run("nothing stays", func(t *testing.T) { p.lists("echo", 0) })
}

// A server that is stopped in its first second has never been registered.
func TestStoppedBeforeItRegisters(t *testing.T) {
	p := newProcess(t)
	s := start(t, WithRegistry(p.gate, Service("echo")))
	begin := time.Now()
	sayTo := newClient(t)
	if _, err := sayTo.Say(t.Context(), &echo.Request{}, hostPort(s.addr)); err != nil {
		t.Fatal(err) // it runs
	}
	s.stop(t)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("took %v", took)
	}
	if n := p.driver.Requests(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// Deregister comes without Register, twice, at once, and with nil; Register after it does nothing.
func TestDeregisterInAnyOrder(t *testing.T) {
	p := newProcess(t)
	info := &registry.Info{ServiceName: "echo", Addr: listener}
	r := &serverRegistry{gate: p.gate}
	must(t, r.Deregister(info))
	must(t, r.Deregister(nil))
	must(t, r.Register(info))
	must(t, r.Register(nil))
	p.lists("echo", 0)

	r = &serverRegistry{gate: p.gate}
	if err := r.Register(nil); err == nil {
		t.Error("a nil info is registered")
	}
	must(t, r.Register(info))
	p.lists("echo", 1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { must(t, r.Deregister(info)) })
	}
	wg.Wait()
	p.lists("echo", 0)
	must(t, r.Deregister(info))
}

// Deregister is bounded whatever the registry does, and its outage is no error of Run.
func TestDeregisterDuringAnOutage(t *testing.T) {
	for _, f := range []namingtest.Fault{namingtest.Refuse, namingtest.Hang} {
		t.Run(fmt.Sprint(f), func(t *testing.T) {
			p := newProcess(t)
			const delay = 200 * time.Millisecond
			s := start(t, WithRegistry(p.gate, Service("echo"), FurtherServices("echo2"), DrainDelay(delay)))
			p.lists("echo", 1)
			p.lists("echo2", 1)
			p.reg.Break(f)
			begin := time.Now()
			s.stop(t)
			if took := time.Since(begin); took > delay+3*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// A server that starts while the registry is away runs, and is listed when it answers.
func TestAServerThatStartsInAnOutage(t *testing.T) {
	p := newProcess(t)
	p.driver.Break(namingtest.Refuse)
	s := start(t, WithRegistry(p.gate, Service("echo")))
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		for { // until the gate has been asked to register
			report, changed := p.monitor.Observe()
			if len(report.Registrations) == 1 {
				return
			}
			<-changed
		}
	}()
	<-waiting
	if by, err := sayTo(t, newClient(t), s.addr); err != nil || by != "me" {
		t.Errorf("%q, %v", by, err)
	}
	p.driver.Break(namingtest.None)
	p.lists("echo", 1)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Error(err)
	}
}
