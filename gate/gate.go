package gate

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
)

// ErrClosed is returned by Register after Close.
var ErrClosed = errors.New("gate: closed")

// Options configure a [Gate].
type Options struct {
	// Registrar is the driver of the registry. Required. The gate does not close it.
	Registrar naming.Registrar
	// Monitor says whether the process is fit, and is told where each registration stands. Required; without probes it is
	// always fit. The gate neither starts nor closes it.
	Monitor *health.Monitor
	// Namespace is the one that Registrar registers in, for reports and logs. Required.
	Namespace naming.Namespace
	// Floor is the part of the roster that keeps serving however many are unfit. The zero value is strict.
	Floor naming.Floor
	// DrainDelay is how long a deregistered instance serves on after it has left the registry. 0 is none; a negative one is
	// an error.
	DrainDelay time.Duration
	// Advertise is what clients are told to dial: "host:port", or "host" or ":port" where the rest is the listener's. Empty
	// derives both; see [Spec.Listen].
	Advertise string
	// RefuseLoopback makes a loopback address an error, and a name that is nothing else on this machine, for namespaces in
	// which other machines have to reach it. Otherwise such a name is logged.
	RefuseLoopback bool
	// Version is the application's own, shown on the roster.
	Version string
	// Logger is slog.Default() where it is nil.
	Logger *slog.Logger
}

// Gate registers the services of one process while they are fit. It is safe for concurrent use.
type Gate struct {
	o    Options
	log  *slog.Logger
	host host
	// names is what is known of the names that are advertised.
	names lookedUp
	// floored says that the driver can keep a floor; otherwise each is strict.
	floored bool
	strict  sync.Once // logs that it is not
	journal journal

	mu     sync.Mutex
	closed bool
	live   map[*Registration]struct{}
}

// New returns a gate, which does nothing before the first Register, or an error that names the option.
func New(o Options) (*Gate, error) {
	switch {
	case o.Registrar == nil:
		return nil, errors.New("gate: Options.Registrar is nil: give it the driver of a registry")
	case o.Monitor == nil:
		return nil, errors.New("gate: Options.Monitor is nil: give it a health.Monitor, which may have no probes")
	case o.Namespace.IsZero():
		return nil, errors.New("gate: Options.Namespace is empty: make one with naming.NewNamespace")
	case o.DrainDelay < 0:
		return nil, fmt.Errorf("gate: Options.DrainDelay is %v: want 0 or more", o.DrainDelay)
	}
	if _, err := parseAdvertise(processWide, o.Advertise); err != nil {
		return nil, err
	}
	g := &Gate{o: o, log: o.Logger, host: machine(), live: map[*Registration]struct{}{}}
	if g.log == nil {
		g.log = slog.Default()
	}
	f := o.Registrar.Features()
	g.floored = f.Roster && f.Floor
	return g, nil
}

// Register begins to register a service and returns at once; the instance is listed once the process is fit and the
// registry answers. It errs only where the configuration is wrong: an empty or malformed service name, an address that
// other machines can't dial, a service and address that are registered already, two listeners under one address.
//
// A host name in an advertised address is looked up once, for a second at most.
func (g *Gate) Register(s Spec) (*Registration, error) {
	r, err := g.prepare(s)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, ErrClosed
	}
	for o := range g.live {
		if err := r.clash(o); err != nil {
			return nil, err
		}
	}
	g.live[r] = struct{}{}
	r.begin()
	return r, nil
}

// Close leaves the registry with every instance that has not been deregistered yet, without a drain delay, since whoever
// closes a gate serves no more. It waits for a Deregister in progress, its delay included, and for every goroutine of the
// gate, each for as long as Deregister does at most. Close again, and Deregister afterwards, wait for the same and do
// nothing else.
func (g *Gate) Close() error {
	g.mu.Lock()
	g.closed = true
	all := make([]*Registration, 0, len(g.live))
	for r := range g.live {
		all = append(all, r)
	}
	g.mu.Unlock()

	var errs []error
	for _, r := range all {
		r.drain(0)
	}
	for _, r := range all {
		errs = append(errs, r.wait())
	}
	g.summarize(true)
	return errors.Join(errs...)
}

// forget takes a registration out that has gone.
func (g *Gate) forget(r *Registration) {
	g.mu.Lock()
	delete(g.live, r)
	last := len(g.live) == 0
	g.mu.Unlock()
	if last { // nobody is left to do it later
		g.summarize(true)
	}
}

// floor returns the one that can be kept, and says once where that is not the one that was asked for.
func (g *Gate) floor(f naming.Floor) naming.Floor {
	if g.floored || f.Strict() {
		return f
	}
	g.strict.Do(func() {
		g.log.Warn("this registry's driver can't keep a floor: each unfit instance withdraws, even the last one",
			"floor", f.String(), "namespace", g.o.Namespace.String())
	})
	return naming.Floor{}
}
