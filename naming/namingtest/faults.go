package namingtest

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-go/muster/naming"
)

// Fault is a way in which requests fail.
type Fault int

const (
	// None: the registry answers.
	None Fault = iota
	// Refuse: each request errs at once.
	Refuse
	// Hang: a request waits until its context or the fault ends.
	Hang
	// LoseAnswer: the request is done and its answer lost, so that it errs.
	LoseAnswer
	// Deaf: a request waits until the fault ends, whatever its context says.
	Deaf
)

// Break makes the requests of all drivers fail that way; None mends the registry. Broken requests don't reach it, but for
// LoseAnswer, and its news reach no driver meanwhile.
func (r *Registry) Break(f Fault) { r.set(nil, f) }

// Break makes the requests of this driver fail that way; None mends its connection.
func (d *Driver) Break(f Fault) { d.reg.set(d, f) }

func (r *Registry) set(d *Driver, f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d != nil {
		d.fault = f
	} else {
		r.fault = f
	}
	for one := range r.drivers {
		if d == nil || d == one {
			one.since = time.Now()
		}
	}
	close(r.switched)
	r.switched = make(chan struct{})
	r.tell()
}

// Latency makes each request take that long. The default is 0.
func (r *Registry) Latency(l time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latency = l
}

func (d *Driver) broken() Fault {
	if d.fault != None {
		return d.fault
	}
	return d.reg.fault
}

// cut reports whether nothing gets through between the driver and the registry.
func (d *Driver) cut() bool { f := d.broken(); return f != None && f != LoseAnswer }

// travel lets a request's latency and faults pass. The lock is held on entry and on return, not in between.
func (d *Driver) travel(ctx context.Context) error {
	r := d.reg
	if l := r.latency; l > 0 {
		r.mu.Unlock()
		t := time.NewTimer(l)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		r.mu.Lock()
	}
	for {
		f, stop := d.broken(), ctx.Done()
		switch f {
		case None, LoseAnswer:
			return ctx.Err()
		case Refuse:
			return errAway
		case Deaf:
			stop = nil
		}
		switched := r.switched
		r.mu.Unlock()
		select {
		case <-switched:
		case <-stop:
		case <-d.closed:
		}
		r.mu.Lock()
		if f != Deaf && ctx.Err() != nil {
			return fmt.Errorf("%w: %w", errAway, ctx.Err())
		}
		if d.over {
			return naming.ErrClosed
		}
	}
}

// ExpireLease takes the process's lease away: its memberships end with [naming.ErrLost], and what they and earlier ones
// of it left in the registry lapses. It works through any fault, since a lease runs out without a request.
func (r *Registry) ExpireLease(d *Driver) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.services {
		for _, m := range s.roster {
			if m.driver == d {
				m.erase(Lapsed, false)
			}
		}
	}
	for m := range d.members {
		m.end(fmt.Errorf("%w: expired", naming.ErrLost))
	}
}

// Wipe empties the registry, as a restored or replaced one is empty: revisions begin anew, and every lease is lost.
func (r *Registry) Wipe() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.orders)
	for p, s := range r.services {
		clear(s.roster)
		clear(s.serving)
		s.changed("")
		r.revision = 0
		r.commit(p, Event{Kind: Wiped}, func(*service) {})
	}
	for d := range r.drivers {
		for m := range d.members {
			m.end(fmt.Errorf("%w: the registry is empty", naming.ErrLost))
		}
	}
}

// DeleteServing deletes the entry that lists an address, as a person with the registry's own tool would.
func (r *Registry) DeleteServing(ns naming.Namespace, name, addr string) {
	r.byHand(place{ns, name}, Event{Kind: Deleted, Addr: addr}, func(s *service) { delete(s.serving, addr) })
}

// DeleteRoster deletes an address's entry on the roster by hand.
func (r *Registry) DeleteRoster(ns naming.Namespace, name, addr string) {
	r.byHand(place{ns, name}, Event{Kind: Deleted, Addr: addr}, func(s *service) { delete(s.roster, addr) })
}

// PutForeign lists an instance that something else than Muster registers, over whatever is listed at its address.
func (r *Registry) PutForeign(ns naming.Namespace, in naming.Instance) error {
	in, err := in.Normalize()
	if err != nil {
		return err
	}
	in.ID, in.Degraded = "", false
	r.byHand(place{ns, in.Service}, Event{Kind: Foreign, Addr: in.Addr}, func(s *service) {
		s.serving[in.Addr] = &listing{instance: &in}
	})
	return nil
}

func (r *Registry) byHand(p place, e Event, change func(*service)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commit(p, e, change)
	r.at(p).changed("")
	r.tell()
}

// SetOffline tells the instance of that id to serve nobody, now and whenever it joins again.
func (r *Registry) SetOffline(id, by string, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.orders[id] = naming.Offline{By: by, Until: until}
	r.tell()
}

// SetOnline takes such an order back.
func (r *Registry) SetOnline(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.orders, id)
	r.tell()
}

// tell lets every member hear what has changed. The lock is held.
func (r *Registry) tell() {
	for d := range r.drivers {
		for m := range d.members {
			m.hear()
		}
	}
}
