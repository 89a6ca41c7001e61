package etcd

import (
	"context"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

// A service's list is read page by page, each within readTimeout. The first page is small, and the next ones grow only while
// the answers stay small: what a stranger has written there may be a megabyte for each key.
const (
	firstPage, readPage  = 100, 2000
	smallPage, largePage = 1 << 20, 8 << 20 // bytes
)

// Watch implements naming.Watcher.
func (d *Driver) Watch(ctx context.Context, service string, emit func(naming.Update)) error {
	if err := naming.CheckService(service); err != nil {
		return err
	}
	ctx, stop, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer stop()
	v := &serviceView{
		d: d, service: service, dir: d.keys.serving(service), emit: emit,
		all: map[string]member{},
	}
	follow(ctx, d.conn, follower{
		name: v.dir, keys: []string{v.dir}, spread: viewSpread, read: v.read, apply: v.apply, settle: v.settle,
	})
	return context.Cause(ctx)
}

// member is what a serving key says.
type member struct {
	inst    *naming.Instance
	leaving bool
}

// serviceView is the state of one Watch; its goroutine owns it.
type serviceView struct {
	d            *Driver
	service, dir string
	emit         func(naming.Update)

	all     map[string]member  // by address; leaving ones included until their key is gone
	list    []*naming.Instance // what was last emitted, sorted
	emitted bool
	touched []string // addresses changed since then, maybe more than once
	left    []string // addresses that announced their leave since then
}

// read replaces the view by what etcd holds, page by page at one revision.
func (v *serviceView) read(ctx context.Context, h *handle) (int64, error) {
	seen := make(map[string]bool, len(v.all))
	rev, err := readRange(ctx, h, v.dir, 0, func(key, value []byte) {
		if addr, ok := v.put(key, value); ok {
			seen[addr] = true
		}
	})
	if err != nil {
		return 0, err
	}
	for addr := range v.all {
		if !seen[addr] {
			v.remove(addr)
		}
	}
	return rev, nil
}

// readRange calls each with all keys below dir at that revision, or at the latest where it is 0, and returns it.
func readRange(ctx context.Context, h *handle, dir string, rev int64, each func(key, value []byte)) (int64, error) {
	end := clientv3.GetPrefixRangeEnd(dir)
	page := firstPage
	for from := dir; ; {
		r, err := readOnce(ctx, h, from, clientv3.WithRange(end), clientv3.WithLimit(int64(page)), clientv3.WithRev(rev))
		if err != nil {
			return 0, err
		}
		if rev == 0 {
			rev = r.Header.Revision
		}
		size := 0
		for _, kv := range r.Kvs {
			size += len(kv.Value)
			each(kv.Key, kv.Value)
		}
		if !r.More || len(r.Kvs) == 0 {
			return rev, nil
		}
		from = string(r.Kvs[len(r.Kvs)-1].Key) + "\x00"
		page = nextPage(page, size)
	}
}

func readOnce(ctx context.Context, h *handle, from string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return h.Get(ctx, from, opts...)
}

// nextPage returns how many keys to ask for, after an answer of size bytes to a page.
func nextPage(page, size int) int {
	switch {
	case size > largePage:
		return max(page/8, 1)
	case size < smallPage:
		return min(page*8, readPage)
	}
	return page
}

func (v *serviceView) apply(events []*clientv3.Event) {
	for _, e := range events {
		if e.Type == clientv3.EventTypeDelete {
			if addr, ok := strings.CutPrefix(string(e.Kv.Key), v.dir); ok {
				v.remove(addr)
			}
			continue
		}
		if _, ok := v.put(e.Kv.Key, e.Kv.Value); !ok {
			if addr, ok := strings.CutPrefix(string(e.Kv.Key), v.dir); ok {
				v.remove(addr) // overwritten by what is no instance
			}
		}
	}
}

// put takes in one key; ok is false for what is no instance of this namespace.
func (v *serviceView) put(key, value []byte) (addr string, ok bool) {
	addr, ok = addrOf(v.dir, key)
	if !ok {
		v.d.complain(string(key), noAddress)
		return "", false
	}
	inst, leaving, err := decodeServing(v.d.cfg.Namespace, v.service, addr, value)
	if err != nil {
		v.d.complain(string(key), err.Error())
		return "", false
	}
	old, had := v.all[addr]
	if had && old.leaving == leaving && old.inst.Equal(inst) {
		return addr, true
	}
	if leaving && !old.leaving {
		v.left = append(v.left, addr)
	}
	v.all[addr] = member{inst: inst, leaving: leaving}
	v.touched = append(v.touched, addr)
	return addr, true
}

func (v *serviceView) remove(addr string) {
	if _, ok := v.all[addr]; ok {
		delete(v.all, addr)
		v.touched = append(v.touched, addr)
	}
}

// settle emits the view if it has changed. Only what was touched is looked at, but for one copy of the list.
func (v *serviceView) settle(_ context.Context, rev int64) error {
	if v.emitted && len(v.touched) == 0 {
		return nil
	}
	slices.Sort(v.touched)
	touched := slices.Compact(v.touched)
	next := make([]*naming.Instance, 0, len(v.list)+len(touched))
	changed := false
	i := 0
	for _, addr := range touched {
		for i < len(v.list) && v.list[i].Addr < addr {
			next = append(next, v.list[i])
			i++
		}
		var old *naming.Instance
		if i < len(v.list) && v.list[i].Addr == addr {
			old = v.list[i]
			i++
		}
		m, ok := v.all[addr]
		switch {
		case !ok || m.leaving:
			changed = changed || old != nil
		case old != nil && old.Equal(m.inst):
			next = append(next, old)
		default:
			next = append(next, m.inst)
			changed = true
		}
	}
	next = append(next, v.list[i:]...)

	left := slices.DeleteFunc(v.left, func(addr string) bool { // came back before anybody was told
		m, ok := v.all[addr]
		return ok && !m.leaving
	})
	v.touched, v.left = v.touched[:0], nil
	if v.emitted && !changed {
		return nil
	}
	v.list, v.emitted = next, true
	v.emit(naming.Update{
		Snapshot: &naming.Snapshot{Service: v.service, Revision: rev, Instances: next},
		Left:     left,
	})
	return nil
}
