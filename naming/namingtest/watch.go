package namingtest

import (
	"context"
	"slices"

	"github.com/muster-go/muster/naming"
)

// watch is one Watch in progress. Its fields are under the registry's lock, but wake.
type watch struct {
	wake  chan struct{}
	dirty bool
	left  []string
}

// Watch implements [naming.Watcher].
func (d *Driver) Watch(ctx context.Context, service string, emit func(naming.Update)) error {
	if err := naming.CheckService(service); err != nil {
		return err
	}
	r, p := d.reg, place{d.ns, service}
	w := &watch{wake: make(chan struct{}, 1)}
	r.mu.Lock()
	d.count()
	r.at(p).watches[w] = struct{}{}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.at(p).watches, w)
	}()

	var last *naming.Snapshot
	for {
		r.mu.Lock()
		if d.over {
			r.mu.Unlock()
			return naming.ErrClosed
		}
		var u naming.Update
		if !d.cut() && (last == nil || w.dirty) {
			u = w.update(r.revision, service, r.at(p).list(), last)
		}
		switched := r.switched
		r.mu.Unlock()

		if err := ctx.Err(); err != nil {
			return err
		}
		if u.Snapshot != nil {
			last = u.Snapshot
			emit(u)
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
		case <-switched:
		case <-d.closed:
		}
	}
}

// update returns what has changed since last, or nothing. Instances that are as they were keep their pointers.
func (w *watch) update(revision int64, service string, list []*naming.Instance, last *naming.Snapshot) naming.Update {
	left := w.left
	w.left, w.dirty = nil, false
	if last == nil {
		return naming.Update{Snapshot: &naming.Snapshot{Service: service, Revision: revision, Instances: list}}
	}
	if len(list) == 0 && len(last.Instances) == 0 {
		return naming.Update{}
	}
	for i, in := range list {
		if j, ok := slices.BinarySearchFunc(last.Instances, in.Addr, byAddr); ok && last.Instances[j].Equal(in) {
			list[i] = last.Instances[j]
		}
		left = slices.DeleteFunc(left, func(addr string) bool { return addr == in.Addr }) // it is back already
	}
	if slices.Equal(list, last.Instances) {
		return naming.Update{}
	}
	return naming.Update{
		Snapshot: &naming.Snapshot{Service: service, Revision: revision, Instances: list},
		Left:     left,
	}
}

func byAddr(in *naming.Instance, addr string) int {
	switch {
	case in.Addr < addr:
		return -1
	case in.Addr > addr:
		return 1
	}
	return 0
}
