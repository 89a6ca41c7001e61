package catalog_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/muster-go/muster/naming"
)

// fake is a registry in memory with its one watcher.
type fake struct {
	mu      sync.Mutex
	updates map[string]naming.Update
	changed chan struct{}
	link    naming.Link
	watches map[string]int // running
	started int
	err     error // Watch returns it at once
}

func newFake() *fake {
	return &fake{updates: map[string]naming.Update{}, changed: make(chan struct{}), watches: map[string]int{}, link: naming.Link{Up: true}}
}

func (f *fake) Scope() string { return "fake" }

func (f *fake) Link() naming.Link {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.link
}

func (f *fake) Watch(ctx context.Context, service string, emit func(naming.Update)) error {
	f.mu.Lock()
	f.started++
	if f.err != nil {
		defer f.mu.Unlock()
		return f.err
	}
	f.watches[service]++
	defer func() {
		f.mu.Lock()
		f.watches[service]--
		f.mu.Unlock()
	}()
	var last *naming.Snapshot
	for {
		u, ok := f.updates[service]
		changed := f.changed
		f.mu.Unlock()
		if ok && u.Snapshot != last {
			last = u.Snapshot
			emit(u)
		} else {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-changed:
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.mu.Lock()
	}
}

func (f *fake) running(service string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.watches[service]
}

// set makes list the service's instances; those in left announced their leave.
func (f *fake) set(service string, list []*naming.Instance, left ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rev := int64(1)
	if u, ok := f.updates[service]; ok {
		rev = u.Snapshot.Revision + 1
	}
	f.updates[service] = naming.Update{Snapshot: &naming.Snapshot{Service: service, Revision: rev, Instances: list}, Left: left}
	close(f.changed)
	f.changed = make(chan struct{})
}

// inst returns an instance of the service "svc".
func inst(addr string) *naming.Instance {
	return &naming.Instance{Service: "svc", Network: "tcp", Addr: addr, Weight: naming.DefaultWeight}
}

func insts(addrs ...string) []*naming.Instance {
	var out []*naming.Instance
	for _, a := range addrs {
		out = append(out, inst(a))
	}
	slices.SortFunc(out, func(a, b *naming.Instance) int { return strings.Compare(a.Addr, b.Addr) })
	return out
}

func addrs(list []*naming.Instance) string {
	var out []string
	for _, i := range list {
		out = append(out, i.Addr)
	}
	return strings.Join(out, " ")
}

// network is what accepts connections.
type network struct {
	mu    sync.Mutex
	down  map[string]bool
	hangs bool
	dials int
	peak  int
	now   int
}

func (n *network) set(addr string, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down == nil {
		n.down = map[string]bool{}
	}
	n.down[addr] = down
}

var errRefused = errors.New("refused")

func (n *network) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	n.now++
	n.peak = max(n.peak, n.now)
	down, hangs := n.down[addr], n.hangs
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		n.now--
		n.mu.Unlock()
	}()
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if down {
		return nil, errRefused
	}
	return nil, nil
}

// silence makes the registry forget, and say nothing.
func (f *fake) silence() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.updates = map[string]naming.Update{}
}

func (f *fake) setLink(l naming.Link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.link = l
}
