package floortest

import (
	"cmp"
	"log/slog"
	"testing"
	"time"

	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

// Spec says what an Instance is. Zero values mean defaults.
type Spec struct {
	// Endpoint is etcd's. Required.
	Endpoint string
	// Service is "user-svc" by default, Addr is what is advertised. Required.
	Service, Addr string
	// Dependency is what the one probe, "db", looks at. Default: one of its own.
	Dependency *Dependency
	// Floor is strict by default, as a gate's.
	Floor naming.Floor
	// Interval is the probe's, 100 ms by default. It fails at the first failure.
	Interval time.Duration
	// LeaseTTL is 10 s by default.
	LeaseTTL time.Duration
	// Namespace is dev/default by default.
	Namespace naming.Namespace
	Logger    *slog.Logger
}

// Instance is one process's worth of Muster: a monitor with one probe, a driver, a gate and what it has registered. It
// listens nowhere.
type Instance struct {
	Spec
	Monitor *health.Monitor
	Driver  *etcd.Driver
	Gate    *gate.Gate
	Reg     *gate.Registration
}

// Dev returns dev/default.
func Dev() naming.Namespace {
	ns, _ := naming.NewNamespace("dev", "")
	return ns
}

// Open registers an instance. Its probe does not run before Monitor.Start.
func Open(s Spec) (_ *Instance, err error) {
	i := &Instance{Spec: s}
	i.Service = cmp.Or(i.Service, "user-svc")
	i.Interval = cmp.Or(i.Interval, 100*time.Millisecond)
	i.Dependency = cmp.Or(i.Dependency, new(Dependency))
	i.Logger = cmp.Or(i.Logger, slog.New(slog.DiscardHandler))
	i.Namespace = cmp.Or(i.Namespace, Dev())
	defer func() {
		if err != nil {
			i.Close()
		}
	}()
	if i.Monitor, err = health.New(health.Options{Logger: i.Logger}, health.Probe{
		Name: "db", Check: i.Dependency.Check, Interval: i.Interval, Timeout: i.Interval, Jitter: health.NoJitter, FailureThreshold: 1,
	}); err != nil {
		return nil, err
	}
	if i.Driver, err = etcd.New(etcd.Config{
		Namespace: i.Namespace, Endpoints: []string{i.Endpoint}, LeaseTTL: i.LeaseTTL, Logger: i.Logger,
	}); err != nil {
		return nil, err
	}
	if i.Gate, err = gate.New(gate.Options{
		Registrar: i.Driver, Monitor: i.Monitor, Namespace: i.Namespace, Floor: i.Floor, Version: "v1.2.3", Logger: i.Logger,
	}); err != nil {
		return nil, err
	}
	i.Reg, err = i.Gate.Register(gate.Spec{Service: i.Service, Advertise: i.Addr})
	return i, err
}

// Make is Open until the test ends.
func Make(t testing.TB, s Spec) *Instance {
	t.Helper()
	i, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

// Run is Make with a probe that runs.
func Run(t testing.TB, s Spec) *Instance {
	t.Helper()
	i := Make(t, s)
	i.Monitor.Start()
	return i
}

// Close ends the instance as a process would that stops in order, without a drain delay.
func (i *Instance) Close() {
	if i.Gate != nil {
		_ = i.Gate.Close()
	}
	if i.Driver != nil {
		_ = i.Driver.Close()
	}
	if i.Monitor != nil {
		_ = i.Monitor.Close()
	}
}
