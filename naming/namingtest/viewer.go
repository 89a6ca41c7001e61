package namingtest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/muster-go/muster/naming"
)

// viewer is a Watch in progress that keeps every update and checks what holds for each of them.
type viewer struct {
	b       *bench
	service string
	cancel  context.CancelFunc
	ended   chan struct{}

	mu    sync.Mutex
	all   []naming.Update
	wrong []string
	err   error
	wake  chan struct{}

	read int             // how many of all have been looked at
	left map[string]bool // what any of those announced
}

// watch begins one, of the test's own service.
func (b *bench) watch(p Process) *viewer { return b.watchService(p, b.service) }

func (b *bench) watchService(p Process, service string) *viewer {
	ctx, cancel := context.WithCancel(context.Background())
	v := &viewer{
		b: b, service: service, cancel: cancel, ended: make(chan struct{}), wake: make(chan struct{}, 1), left: map[string]bool{},
	}
	go func() {
		defer close(v.ended)
		err := p.Watch(ctx, service, v.emit)
		v.mu.Lock()
		v.err = err
		v.mu.Unlock()
	}()
	b.Cleanup(func() {
		cancel()
		b.wait("a watch to end", v.ended)
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, w := range v.wrong {
			b.Errorf("watch of %s: %s", service, w)
		}
	})
	return v
}

func (v *viewer) emit(u naming.Update) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.check(u)
	v.all = append(v.all, u)
	signal(v.wake)
}

// check notes what is wrong with an update, whatever it is about.
func (v *viewer) check(u naming.Update) {
	if u.Snapshot == nil {
		v.wrong = append(v.wrong, "an update without a snapshot")
		return
	}
	if u.Snapshot.Service != v.service {
		v.wrong = append(v.wrong, "a snapshot of "+u.Snapshot.Service)
	}
	if !slices.IsSortedFunc(u.Snapshot.Instances, func(a, b *naming.Instance) int { return byAddr(a, b.Addr) }) {
		v.wrong = append(v.wrong, "instances that are not sorted by address")
	}
	for i, in := range u.Snapshot.Instances {
		if i > 0 && in.Addr == u.Snapshot.Instances[i-1].Addr {
			v.wrong = append(v.wrong, "the address "+in.Addr+" twice")
		}
	}
	if len(v.all) == 0 {
		return
	}
	last := v.all[len(v.all)-1]
	if last.Snapshot == nil {
		return
	}
	for _, in := range u.Snapshot.Instances {
		j, ok := slices.BinarySearchFunc(last.Snapshot.Instances, in.Addr, byAddr)
		if ok && last.Snapshot.Instances[j] != in && last.Snapshot.Instances[j].Equal(in) {
			v.wrong = append(v.wrong, in.Addr+" has not changed and is another pointer")
		}
	}
}

// until reads updates up to the first that is ok.
func (v *viewer) until(what string, ok func(naming.Update) bool) naming.Update {
	v.b.Helper()
	t := time.NewTimer(v.b.h.Patience)
	defer t.Stop()
	for {
		v.mu.Lock()
		for v.read < len(v.all) {
			u := v.all[v.read]
			v.read++
			for _, addr := range u.Left {
				v.left[addr] = true
			}
			if ok(u) {
				v.mu.Unlock()
				return u
			}
		}
		v.mu.Unlock()
		select {
		case <-v.wake:
		case <-t.C:
			v.b.Fatalf("waited %v for a view with %s; the last of %d has %v", v.b.h.Patience, what, v.read, v.last())
		}
	}
}

// shows reads updates until one has exactly these addresses.
func (v *viewer) shows(addrs ...string) naming.Update {
	v.b.Helper()
	slices.Sort(addrs)
	return v.until("exactly the given addresses", func(u naming.Update) bool { return slices.Equal(addresses(u.Snapshot), addrs) })
}

// seen returns how many updates have come so far.
func (v *viewer) seen() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.all)
}

func (v *viewer) last() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.all) == 0 {
		return nil
	}
	return addresses(v.all[len(v.all)-1].Snapshot)
}

// ends waits for Watch to return and returns its error.
func (v *viewer) ends() error {
	v.b.Helper()
	v.b.wait("a watch to end", v.ended)
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.err
}

func addresses(s *naming.Snapshot) []string {
	var all []string
	for _, in := range s.Instances {
		all = append(all, in.Addr)
	}
	return all
}
