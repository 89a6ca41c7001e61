package floortest

import (
	"encoding/json"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

// Audit replays the history of one service, revision by revision, and notes each withdrawal that has left fewer serving than
// the floor needs.
//
// An instance serves while its serving key is there with its own id and without a mark, and its roster entry too. It
// withdraws where it ceases to serve while its roster entry stays and says neither that an operator took it out nor that it
// leaves. A mark that comes without a word of the roster's is the announcement of a leave, if nothing but the deletion of
// the roster's entry follows.
type Audit struct {
	Floor naming.Floor
	// Members are those on the roster, by address.
	Members map[string]Member
	// Withdrawals counts them, Breaches describes those that were not allowed.
	Withdrawals int
	Breaches    []string

	rosterDir, servingDir string
	serving               map[string]servingValue
	announced             map[string]string // marked without a word of the roster's: what it breaches if it is no leave
}

// Member is one instance on the roster.
type Member struct {
	ID      string
	State   string
	Unfit   bool
	Probes  map[string]string
	Lease   int64
	Serving bool // listed with its own id, not marked
	// Degraded says that it is listed as such.
	Degraded bool
}

type servingValue struct{ id, state string }

// NewAudit begins a replay of one service in a namespace's group, whose keys are below that root.
func NewAudit(root string, ns naming.Namespace, service string, floor naming.Floor) *Audit {
	base := root + "/" + ns.Name() + "/"
	return &Audit{
		Floor: floor, Members: map[string]Member{},
		rosterDir:  base + ".roster/" + ns.Group() + "/" + service + "/",
		servingDir: base + ns.Group() + "/" + service + "/",
		serving:    map[string]servingValue{}, announced: map[string]string{},
	}
}

// Event is one change of one key.
type Event struct {
	Key    string
	Value  []byte
	Lease  int64
	Delete bool
}

// EventOf converts etcd's.
func EventOf(e *clientv3.Event) Event {
	return Event{Key: string(e.Kv.Key), Value: e.Kv.Value, Lease: e.Kv.Lease, Delete: e.Type == clientv3.EventTypeDelete}
}

// Revision takes all events of one revision in.
func (a *Audit) Revision(rev int64, events []Event) {
	before := make(map[string]bool, len(a.Members))
	for addr, m := range a.Members {
		before[addr] = m.Serving
	}
	told := map[string]bool{} // whose roster entry was written
	for _, e := range events {
		if addr, ok := strings.CutPrefix(e.Key, a.rosterDir); ok {
			a.roster(addr, e)
			told[addr] = !e.Delete
		} else if addr, ok := strings.CutPrefix(e.Key, a.servingDir); ok {
			a.list(addr, e)
		}
	}
	for addr, m := range a.Members {
		v, there := a.serving[addr]
		m.Serving = there && v.id == m.ID && v.state != "leaving"
		m.Degraded = m.Serving && v.state == "degraded"
		a.Members[addr] = m
	}
	for addr, was := range before {
		m, alive := a.Members[addr]
		breach, announced := a.announced[addr]
		if announced && (alive && told[addr] || m.Serving) { // it stays, so it was a withdrawal
			a.judged(breach)
			delete(a.announced, addr)
		}
		if !alive {
			delete(a.announced, addr)
		}
		if !was || m.Serving || !alive || m.State == "offline" || m.State == "draining" {
			continue
		}
		if breach = a.breach(rev, addr); told[addr] {
			a.judged(breach)
		} else {
			a.announced[addr] = breach
		}
	}
}

func (a *Audit) judged(breach string) {
	a.Withdrawals++
	if breach != "" {
		a.Breaches = append(a.Breaches, breach)
	}
}

// breach describes a withdrawal that has just committed, if it was not allowed.
func (a *Audit) breach(rev int64, addr string) string {
	serving, need := a.Count(func(m Member) bool { return m.Serving }), a.Floor.Need(len(a.Members))
	if a.Floor.Strict() || serving >= need {
		return ""
	}
	return fmt.Sprintf("revision %d: %s withdrew, and %d of %d serve; the floor of %s needs %d", rev, addr, serving, len(a.Members), a.Floor, need)
}

// Count returns how many members are so.
func (a *Audit) Count(so func(Member) bool) (n int) {
	for _, m := range a.Members {
		if so(m) {
			n++
		}
	}
	return n
}

// All reports whether there are n members, and all of them are so.
func (a *Audit) All(n int, so func(Member) bool) bool {
	return len(a.Members) == n && a.Count(so) == n
}

func (a *Audit) roster(addr string, e Event) {
	if e.Delete {
		delete(a.Members, addr)
		return
	}
	var v struct {
		ID     string            `json:"id"`
		State  string            `json:"state"`
		Unfit  bool              `json:"unfit"`
		Probes map[string]string `json:"probes"`
	}
	if json.Unmarshal(e.Value, &v) != nil || v.ID == "" {
		delete(a.Members, addr)
		return
	}
	a.Members[addr] = Member{ID: v.ID, State: v.State, Unfit: v.Unfit, Probes: v.Probes, Lease: e.Lease}
}

func (a *Audit) list(addr string, e Event) {
	delete(a.serving, addr)
	if e.Delete {
		return
	}
	var v struct {
		Address string            `json:"address"`
		Tags    map[string]string `json:"tags"`
	}
	if json.Unmarshal(e.Value, &v) == nil && v.Address == addr {
		a.serving[addr] = servingValue{id: v.Tags["muster.id"], state: v.Tags["muster.state"]}
	}
}
