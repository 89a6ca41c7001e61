package namingtest

import (
	"slices"
	"time"

	"github.com/muster-go/muster/naming"
)

// Kind is what an [Event] did.
type Kind string

// The kinds of events.
const (
	Joined    Kind = "joined"
	Published Kind = "published"
	Withdrew  Kind = "withdrew"
	Refused   Kind = "refused" // a withdrawal that the floor held back
	Annotated Kind = "annotated"
	Left      Kind = "left"
	Lapsed    Kind = "lapsed" // gone without a word: the lease ran out
	Taken     Kind = "taken"  // replaced by a later claim of its address
	Foreign   Kind = "foreign"
	Deleted   Kind = "deleted" // by hand
	Wiped     Kind = "wiped"
)

// Event is one committed change.
type Event struct {
	Revision  int64
	At        time.Time
	Kind      Kind
	Namespace naming.Namespace
	Service   string
	Addr, ID  string
	Degraded  bool
	// Floor is the one that a withdrawal was asked to keep.
	Floor naming.Floor
	// Before and After are the service's census around the change.
	Before, After naming.Census
}

// History returns every change so far, in order.
func (r *Registry) History() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.history)
}

// commit makes a change under the next revision and records it. The lock is held.
func (r *Registry) commit(p place, e Event, change func(*service)) {
	s := r.at(p)
	e.Before = s.census()
	change(s)
	e.After = s.census()
	r.revision++
	e.Revision, e.At, e.Namespace, e.Service = r.revision, time.Now(), p.ns, p.service
	r.history = append(r.history, e)
}
