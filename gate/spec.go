package gate

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
)

// Spec is one service that the process serves.
type Spec struct {
	// Service is the name that clients look up. Required.
	Service string
	// Network is what clients dial with; empty means "tcp".
	Network string
	// Listen is where the server listens. An unspecified host (0.0.0.0 or ::) is replaced by the address from which this
	// machine would reach others, never one of a container bridge, or a link-local one; loopback if there is no other. It
	// may be nil where Advertise or Options.Advertise names both host and port.
	Listen net.Addr
	// Advertise goes before Options.Advertise, as a whole.
	Advertise string
	// Weight is relative to the other instances'; 0 means naming.DefaultWeight.
	Weight int
	// Tags are shown to clients. The map is copied.
	Tags map[string]string
	// Floor and DrainDelay go before the gate's own where they are not nil.
	Floor      *naming.Floor
	DrainDelay *time.Duration
}

// prepare checks a spec and makes a registration of it that has not begun.
func (g *Gate) prepare(s Spec) (*Registration, error) {
	if s.Service == "" {
		return nil, fmt.Errorf("gate: %w: the service has no name: set it with kitexext.Service(\"...\"), or with Kitex's "+
			"server.WithServerBasicInfo", naming.ErrInvalid)
	}
	if err := naming.CheckService(s.Service); err != nil {
		return nil, fmt.Errorf("gate: %w", err)
	}
	delay, floor := g.o.DrainDelay, g.o.Floor
	if s.DrainDelay != nil {
		delay = *s.DrainDelay
	}
	if s.Floor != nil {
		floor = *s.Floor
	}
	if delay < 0 {
		return nil, fmt.Errorf("gate: Spec.DrainDelay of %s is %v: want 0 or more", s.Service, delay)
	}
	addr, err := g.advertise(s)
	if err != nil {
		return nil, err
	}
	in, err := naming.Instance{
		Service: s.Service, Network: s.Network, Addr: addr.addr, Weight: s.Weight, Tags: maps.Clone(s.Tags),
		ID: rand.Text(),
	}.Normalize()
	if err != nil {
		return nil, fmt.Errorf("gate: %w", err)
	}
	g.log.Info("registering", "service", in.Service, "addr", in.Addr, "from", addr.from, "namespace", g.o.Namespace.String())
	r := &Registration{
		gate: g, in: in, floor: g.floor(floor), delay: delay, started: time.Now(),
		done: make(chan struct{}), changed: map[change]time.Time{},
		log: g.log.With("service", in.Service, "addr", in.Addr),
	}
	if s.Listen != nil {
		r.listen = s.Listen.String()
	}
	r.shown = health.Registration{
		Service: in.Service, Addr: in.Addr, Namespace: g.o.Namespace.Name(), Group: g.o.Namespace.Group(), Since: r.started,
	}
	return r, nil
}

// clash returns an error where two registrations of one process can't both be meant.
func (r *Registration) clash(o *Registration) error {
	switch {
	case r.in.Addr != o.in.Addr:
		return nil
	case r.in.Service == o.in.Service:
		return fmt.Errorf("gate: %w: %s is registered at %s already by this process (%s): deregister it first",
			naming.ErrInvalid, r.in.Service, r.in.Addr, o.State())
	case r.listen != o.listen:
		return fmt.Errorf("gate: %w: %s and %s listen on %s and %s and would both be advertised as %s: a fixed port fits one "+
			"server only; leave the port out of MUSTER_ADVERTISE_ADDR and KITEX_PORT_TO_REGISTRY, or advertise each server's own",
			naming.ErrInvalid, o.in.Service, r.in.Service, o.listen, r.listen, r.in.Addr)
	}
	return nil
}
