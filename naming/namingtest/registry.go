package namingtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/muster-go/muster/naming"
)

// Registry is a registry in memory, shared by all drivers made from it. It is safe for concurrent use.
type Registry struct {
	mu       sync.Mutex
	revision int64
	services map[place]*service
	drivers  map[*Driver]struct{}
	orders   map[string]naming.Offline // by instance id
	history  []Event

	fault    Fault
	latency  time.Duration
	switched chan struct{} // closed and replaced when a fault begins or ends
	requests int64
}

// place is one service in one namespace. Nothing in it is visible from another place.
type place struct {
	ns      naming.Namespace
	service string
}

// service is what the registry holds of a place.
type service struct {
	roster  map[string]*Membership // by address; its owner may have ended, if its lease has still to run out
	serving map[string]*listing    // by address
	watches map[*watch]struct{}
}

// listing is one entry that takes traffic.
type listing struct {
	instance *naming.Instance
	owner    *Membership // nil: something else than Muster wrote it
}

// Member is one entry of a roster, as [Registry.Roster] shows it.
type Member struct {
	Instance naming.Instance
	Status   naming.Status
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{
		services: map[place]*service{},
		drivers:  map[*Driver]struct{}{},
		orders:   map[string]naming.Offline{},
		switched: make(chan struct{}),
	}
}

// Driver returns the driver of a new process in the namespace, with every feature. It has to be closed.
func (r *Registry) Driver(ns naming.Namespace) *Driver {
	return r.DriverWith(ns, naming.Features{Roster: true, Floor: true, Marks: true, Operator: true})
}

// DriverWith returns a driver that has only these features: without Roster its Census counts nothing, without Floor its
// withdrawals obey none, without Marks nothing is announced as leaving, without Operator nobody is told to be offline.
func (r *Registry) DriverWith(ns naming.Namespace, f naming.Features) *Driver {
	d := &Driver{reg: r, ns: ns, features: f, closed: make(chan struct{}), members: map[*Membership]struct{}{}}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drivers[d] = struct{}{}
	return d
}

// Serving returns the instances that a watch of the service would report now, sorted by address.
func (r *Registry) Serving(ns naming.Namespace, service string) []naming.Instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []naming.Instance
	for _, in := range r.at(place{ns, service}).list() {
		all = append(all, *in)
	}
	return all
}

// Roster returns the service's roster, sorted by address.
func (r *Registry) Roster(ns naming.Namespace, service string) []Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.at(place{ns, service})
	var all []Member
	for _, addr := range slices.Sorted(maps.Keys(s.roster)) {
		m := s.roster[addr]
		all = append(all, Member{Instance: m.instance, Status: m.status})
	}
	return all
}

// Census counts the service's instances, without a driver and whatever is broken.
func (r *Registry) Census(ns naming.Namespace, service string) naming.Census {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at(place{ns, service}).census()
}

// Requests returns how many requests all drivers have made. A watch is one, and costs none afterwards.
func (r *Registry) Requests() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// Residue says what the registry and its drivers still hold: roster entries, listings, memberships that have not ended, and
// watches. All are 0 once everything has left.
func (r *Registry) Residue() (roster, serving, memberships, watches int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.services {
		roster += len(s.roster)
		serving += len(s.serving)
		watches += len(s.watches)
	}
	for d := range r.drivers {
		memberships += len(d.members)
	}
	return roster, serving, memberships, watches
}

// at returns the service of that place, making it where it is new. The lock is held.
func (r *Registry) at(p place) *service {
	s := r.services[p]
	if s == nil {
		s = &service{roster: map[string]*Membership{}, serving: map[string]*listing{}, watches: map[*watch]struct{}{}}
		r.services[p] = s
	}
	return s
}

// list returns the listed instances sorted by address.
func (s *service) list() []*naming.Instance {
	all := make([]*naming.Instance, 0, len(s.serving))
	for _, l := range s.serving {
		all = append(all, l.instance)
	}
	slices.SortFunc(all, func(a, b *naming.Instance) int { return cmp.Compare(a.Addr, b.Addr) })
	return all
}

// census counts the roster; strangers' entries are on none.
func (s *service) census() naming.Census {
	var c naming.Census
	for addr, m := range s.roster {
		c.Alive++
		if l := s.serving[addr]; l != nil && l.owner == m {
			c.Serving++
		}
		if m.status.Unfit {
			c.Unfit++
		}
	}
	return c
}

// changed tells the watches of the place. announced is the address that has said that it goes; empty for none.
func (s *service) changed(announced string) {
	for w := range s.watches {
		w.dirty = true
		if announced != "" {
			w.left = append(w.left, announced)
		}
		signal(w.wake)
	}
}

// signal leaves one token in a channel that has room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (p place) String() string { return fmt.Sprintf("%s/%s", p.ns, p.service) }
