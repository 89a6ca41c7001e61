package namingtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/naming"
)

// Process is the driver of one process.
type Process interface {
	naming.Registrar
	naming.Watcher
	io.Closer
}

// Harness is what [Run] needs of a driver.
type Harness struct {
	// New returns the driver of a new process in that namespace, in a world that all processes of a run share. The suite
	// closes it, maybe twice. Required.
	New func(t testing.TB, ns naming.Namespace) Process
	// Patience bounds each wait for something that has to happen; 0 means 10 s.
	Patience time.Duration
	// Requests returns how many requests all processes have made, not counting what keeps leases and connections alive.
	// Without it, silence is not tested.
	Requests func() int64
	// Quiet is how long nothing may be asked while nothing changes; 0 means 1 s.
	Quiet time.Duration
	// Faults break things. What is nil in it is not tested.
	Faults Faults
}

// Faults are what can be done to a registry behind its driver's back.
type Faults struct {
	// ExpireLease takes the process's lease away.
	ExpireLease func(t testing.TB, p Process)
	// DeleteServing and DeleteRoster delete one entry of an address by hand.
	DeleteServing func(t testing.TB, ns naming.Namespace, service, addr string)
	DeleteRoster  func(t testing.TB, ns naming.Namespace, service, addr string)
	// PutForeign writes an instance as something else than Muster would, over whatever is listed at its address.
	PutForeign func(t testing.TB, ns naming.Namespace, in naming.Instance)
	// PutRubbish writes something among the service's listed entries that is no instance.
	PutRubbish func(t testing.TB, ns naming.Namespace, service string)
	// SetOffline and SetOnline are an operator's orders to an instance. Both or neither.
	SetOffline func(t testing.TB, ns naming.Namespace, in naming.Instance, by string)
	SetOnline  func(t testing.TB, ns naming.Namespace, in naming.Instance)
	// SetAway makes the registry unreachable for every process, for less than a lease, and reachable again.
	SetAway func(t testing.TB, away bool)
}

// Run tests what package naming promises. The promises that need a feature, or a fault, are tested where there is one.
func Run(t *testing.T, h Harness) {
	if h.Patience == 0 {
		h.Patience = 10 * time.Second
	}
	if h.Quiet == 0 {
		h.Quiet = time.Second
	}
	probe := h.New(t, space(t, "suite-a", ""))
	f := probe.Features()
	if err := probe.Close(); err != nil {
		t.Fatal(err)
	}
	var all []promise
	all = append(all, viewPromises()...)
	all = append(all, memberPromises()...)
	all = append(all, claimPromises()...)
	all = append(all, floorPromises()...)
	all = append(all, faultPromises()...)
	all = append(all, operatorPromises()...)
	for _, p := range all {
		if p.needs != nil && !p.needs(f, h) {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			if !p.alone {
				t.Parallel()
			}
			id := strings.ToLower(rand.Text()[:8]) // many runs may share a world
			p.run(&bench{TB: t, h: h, f: f, ns: space(t, "suite-a", ""), service: p.name + "." + id, id: id})
		})
	}
}

// promise is one thing that is tested.
type promise struct {
	name  string
	needs func(naming.Features, Harness) bool
	alone bool // it would disturb others, or they it
	run   func(*bench)
}

// bench is what one promise is tested on.
type bench struct {
	testing.TB
	h       Harness
	f       naming.Features
	ns      naming.Namespace
	service string
	id      string
}

func space(t testing.TB, name, group string) naming.Namespace {
	t.Helper()
	ns, err := naming.NewNamespace(name, group)
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

// process starts one in the namespace of the test.
func (b *bench) process() Process { b.Helper(); return b.processIn(b.ns) }

func (b *bench) processIn(ns naming.Namespace) Process {
	b.Helper()
	p := b.h.New(b.TB, ns)
	b.Cleanup(func() { _ = p.Close() })
	return p
}

// ctx ends when patience does.
func (b *bench) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), b.h.Patience)
	b.Cleanup(cancel)
	return ctx
}

// instance returns the n-th one, normalized, with an id that is new at each call.
func (b *bench) instance(n int) naming.Instance {
	b.Helper()
	in, err := naming.Instance{
		Service: b.service, Addr: fmt.Sprintf("10.1.%d.%d:8888", n/250, n%250+1), ID: rand.Text(),
	}.Normalize()
	if err != nil {
		b.Fatal(err)
	}
	return in
}

func (b *bench) join(p Process, in naming.Instance) naming.Membership {
	b.Helper()
	return b.joinAs(p, naming.Claim{Instance: in, Status: status("waiting", false)})
}

func (b *bench) joinAs(p Process, c naming.Claim) naming.Membership {
	b.Helper()
	m, err := p.Join(b.ctx(), c)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// serve joins and publishes.
func (b *bench) serve(p Process, in naming.Instance) naming.Membership {
	b.Helper()
	m := b.join(p, in)
	b.publish(m)
	return m
}

func (b *bench) publish(m naming.Membership) {
	b.Helper()
	b.must(m.Publish(b.ctx(), status("serving", false), false))
}

func (b *bench) withdraw(m naming.Membership, f naming.Floor) naming.Outcome {
	b.Helper()
	o, err := m.Withdraw(b.ctx(), f, status("withdrawn", true), status("held", true))
	b.must(err)
	return o
}

func (b *bench) census(m naming.Membership) naming.Census {
	b.Helper()
	c, err := m.Census(b.ctx())
	b.must(err)
	return c
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// wantErr fails unless err wraps want.
func (b *bench) wantErr(what string, err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Fatalf("%s: got %v, want one that wraps %v", what, err, want)
	}
}

// wait fails unless c is closed, or sends, in time.
func (b *bench) wait(what string, c <-chan struct{}) {
	b.Helper()
	t := time.NewTimer(b.h.Patience)
	defer t.Stop()
	select {
	case <-c:
	case <-t.C:
		b.Fatalf("waited %v for %s", b.h.Patience, what)
	}
}

func status(state string, unfit bool) naming.Status {
	return naming.Status{State: state, Unfit: unfit, Probes: map[string]string{"db": "ok"}}
}
