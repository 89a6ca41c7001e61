package kitexext

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/cloudwego/kitex/pkg/registry"
	"github.com/cloudwego/kitex/pkg/utils"

	"github.com/muster-go/muster/naming"
)

const (
	// closeLimit bounds what Close of a WrappedRegistry waits for.
	closeLimit = 3 * time.Second
	// closeLeave is how much of it there is for taking out what is listed.
	closeLeave = 2500 * time.Millisecond
)

// WrapRegistry makes a driver for a gate of any registry that was written for Kitex:
//
//	g, err := gate.New(gate.Options{Registrar: kitexext.WrapRegistry(r), ...})
//
// It can do the least that a gate needs: list an instance while it is fit, by Register, and take it out, by Deregister. It
// has no roster, so that the gate keeps no floor; it announces no leave; it never notices that the registry has lost an
// instance, which is left to r's own means.
//
// Register and Deregister of such registries take no context and may block for long. Each is called in a goroutine of its
// own, one at a time for the whole of r, and what a gate asks returns with its own context while the call goes on. A result
// that comes late is put right: a Register that ends after the instance has left is followed by a Deregister. A call that
// has not returned after [CallLimit] is given up: it counts as failed, or, a Deregister, as done, until it does return. Up
// to three such calls of an instance are left hanging, with their goroutines; then no more are made. A panic of r is an
// error.
//
// Some registries, registry-etcd v0.3.0 among them, keep state for a single instance: give each server one of its own, and
// a gate of its own with it.
func WrapRegistry(r registry.Registry, opts ...RegistrarOption) *WrappedRegistry {
	o := registrarOptions{limit: DefaultCallLimit}
	for _, opt := range opts {
		if opt != nil {
			opt.applyRegistrar(&o)
		}
	}
	if o.log == nil {
		o.log = slog.Default()
	}
	return &WrappedRegistry{r: r, o: o, slot: make(chan struct{}, 1), entries: map[entryKey]*entry{}}
}

// WrappedRegistry is the driver that [WrapRegistry] makes. It is safe for concurrent use.
type WrappedRegistry struct {
	r    registry.Registry
	o    registrarOptions
	slot chan struct{} // held by the call in flight

	mu      sync.Mutex // guards everything that follows, and each entry's state
	closed  bool
	over    bool // what has failed is not tried again
	entries map[entryKey]*entry
}

var _ naming.Registrar = (*WrappedRegistry)(nil)

// entryKey is what a foreign registry tells instances apart by.
type entryKey struct{ service, addr string }

// Features implements naming.Registrar: there are none.
func (d *WrappedRegistry) Features() naming.Features { return naming.Features{} }

// Join implements naming.Registrar. It asks nothing of the registry. A claim to an address that this driver has a
// membership of ends that one; other processes' claims are not known.
func (d *WrappedRegistry) Join(ctx context.Context, c naming.Claim) (naming.Membership, error) {
	if d.r == nil {
		return nil, fmt.Errorf("kitexext: %w: WrapRegistry got a nil registry", naming.ErrInvalid)
	}
	in, err := c.Instance.Normalize()
	if err == nil && in.ID == "" {
		err = fmt.Errorf("%w: the instance has no ID", naming.ErrInvalid)
	}
	if err != nil {
		return nil, fmt.Errorf("kitexext: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m := &wrappedMember{id: in.ID, done: make(chan struct{}), changed: make(chan struct{})}

	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, naming.ErrClosed
	}
	key := entryKey{in.Service, in.Addr}
	e := d.entries[key]
	if e == nil {
		e = newEntry(d, key)
		d.entries[key] = e
		go e.run()
	}
	if e.holder != nil {
		e.holder.end(&naming.TakenError{Service: in.Service, Addr: in.Addr, By: in.ID})
	}
	m.entry, e.holder = e, m
	e.info = infoOf(in, c.Status.Started)
	e.state.want, e.state.stale = false, e.state.have == listingPresent
	e.ask()
	return m, nil
}

// Close ends every membership and takes out what is listed. It waits for that, and for its goroutines, for three seconds at
// most; those of calls that hang end when the calls do. Calling it again does nothing.
func (d *WrappedRegistry) Close() error {
	d.mu.Lock()
	d.closed = true
	var members []*wrappedMember
	var ended []chan struct{}
	for _, e := range d.entries {
		if e.holder != nil {
			members = append(members, e.holder)
		}
		ended = append(ended, e.ended)
	}
	d.mu.Unlock()

	limit, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	leave, cancelLeave := context.WithTimeout(limit, closeLeave)
	defer cancelLeave()
	errs := make([]error, len(members))
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Go(func() { errs[i] = m.Leave(leave) })
	}
	wg.Wait()

	d.mu.Lock()
	d.over = true
	for _, e := range d.entries {
		e.nudge()
	}
	d.mu.Unlock()
	for _, e := range ended {
		select {
		case <-e:
		case <-limit.Done():
			return errors.Join(errors.Join(errs...), errors.New("kitexext: the registry has not returned from a call yet"))
		}
	}
	return errors.Join(errs...)
}

// infoOf returns what Kitex would tell a registry of the instance.
func infoOf(in naming.Instance, started time.Time) registry.Info {
	info := registry.Info{
		ServiceName: in.Service, Addr: utils.NewNetAddr(in.Network, in.Addr), Weight: in.Weight,
		Tags: in.Tags, StartTime: started, SkipListenAddr: true,
	}
	if host, _, err := net.SplitHostPort(in.Addr); err == nil {
		if _, err := netip.ParseAddr(host); err == nil {
			// Kitex hands the listener's address over, and a registry may rely on its type.
			if tcp, err := net.ResolveTCPAddr("tcp", in.Addr); err == nil {
				info.Addr = tcp
			}
		}
	}
	return info
}

// copyInfo returns a copy that the registry may keep or change.
func copyInfo(info registry.Info) *registry.Info {
	info.Tags = maps.Clone(info.Tags)
	return &info
}
