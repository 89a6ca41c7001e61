package gate

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

// place is the namespace of every test.
func place(t testing.TB) naming.Namespace {
	t.Helper()
	ns, err := naming.NewNamespace("dev", "")
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

const service = "user-svc"

// world is a registry in memory that processes of one test share.
type world struct {
	*namingtest.Registry
	t  testing.TB
	ns naming.Namespace
}

func newWorld(t testing.TB) *world {
	return &world{Registry: namingtest.NewRegistry(), t: t, ns: place(t)}
}

// process is one process: a monitor with one critical probe, a driver and a gate.
type process struct {
	w       *world
	sick    atomic.Bool
	monitor *health.Monitor
	driver  *namingtest.Driver
	gate    *Gate
}

// interval is how often the probe runs: quick, with no threshold, so that tests are about the gate.
const interval = 400 * time.Millisecond

func (w *world) process(change func(*Options)) *process {
	w.t.Helper()
	p := &process{w: w, driver: w.Driver(w.ns)}
	o := Options{
		Registrar: p.driver, Namespace: w.ns, Floor: naming.Percent(50), DrainDelay: time.Second, Logger: quiet(),
	}
	var err error
	p.monitor, err = health.New(health.Options{Logger: quiet()}, health.Probe{
		Name: "db", Interval: interval, Timeout: interval, FailureThreshold: 1, Jitter: 0.01,
		Check: func(context.Context) error {
			if p.sick.Load() {
				return errors.New("broken")
			}
			return nil
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	o.Monitor = p.monitor
	if change != nil {
		change(&o)
	}
	if p.gate, err = New(o); err != nil {
		w.t.Fatal(err)
	}
	p.gate.host = nowhere()
	return p
}

// start starts a process whose instance has that port.
func (w *world) start(port int, change func(*Options)) (*process, *Registration) {
	w.t.Helper()
	p := w.process(change)
	p.monitor.Start()
	return p, p.register(Spec{Service: service, Listen: tcp("10.0.0.1", port)})
}

func (p *process) register(s Spec) *Registration {
	p.w.t.Helper()
	r, err := p.gate.Register(s)
	if err != nil {
		p.w.t.Fatal(err)
	}
	return r
}

func (p *process) close() {
	p.gate.Close()
	p.driver.Close()
	p.monitor.Close()
}

func tcp(host string, port int) net.Addr { return &net.TCPAddr{IP: net.ParseIP(host), Port: port} }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// nowhere is a machine without a network.
func nowhere() host {
	return host{
		route:      func(string, string) (netip.Addr, error) { return netip.Addr{}, errors.New("no route") },
		interfaces: func() ([]iface, error) { return nil, nil },
		lookup: func(_ context.Context, name string) ([]netip.Addr, error) {
			return nil, &net.DNSError{Name: name, IsNotFound: true}
		},
	}
}

// settle lets time pass until everybody waits.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// serving returns how many instances are listed, and how many of them as degraded.
func (w *world) serving() (all, degraded int) {
	for _, in := range w.Serving(w.ns, service) {
		all++
		if in.Degraded {
			degraded++
		}
	}
	return all, degraded
}

func (w *world) wantServing(all, degraded int) {
	w.t.Helper()
	if a, d := w.serving(); a != all || d != degraded {
		w.t.Fatalf("serving %d, of them degraded %d; want %d, %d", a, d, all, degraded)
	}
}

func wantState(t testing.TB, r *Registration, want health.Lifecycle) {
	t.Helper()
	if got := r.State(); got != want {
		t.Fatalf("%s is %v, want %v", r.Addr(), got, want)
	}
}

// flag is a check that fails while the channel holds true.
func flag(bad chan bool) func(context.Context) error {
	return func(context.Context) error {
		b := <-bad
		bad <- b
		if b {
			return errors.New("broken")
		}
		return nil
	}
}

// lines is a log that can be read.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(b))
	return len(b), nil
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// count returns how many lines hold the text.
func (l *lines) count(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.all {
		if strings.Contains(s, text) {
			n++
		}
	}
	return n
}
