package kitexext

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/naming"
)

// world is a registry in memory with its one watcher.
type world struct {
	scope string

	mu      sync.Mutex
	updates map[string]naming.Update
	changed chan struct{}
}

func newWorld(scope string) *world {
	return &world{scope: scope, updates: map[string]naming.Update{}, changed: make(chan struct{})}
}

func (w *world) Scope() string     { return w.scope }
func (w *world) Link() naming.Link { return naming.Link{Up: true} }

func (w *world) Watch(ctx context.Context, service string, emit func(naming.Update)) error {
	var last int64
	for ctx.Err() == nil {
		w.mu.Lock()
		u, ok := w.updates[service]
		changed := w.changed
		w.mu.Unlock()
		if ok && u.Snapshot.Revision != last {
			last = u.Snapshot.Revision
			emit(u)
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	return ctx.Err()
}

// set makes list the service's instances. Those that are gone from it announced that they leave.
func (w *world) set(service string, list ...*naming.Instance) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b *naming.Instance) int { return strings.Compare(a.Addr, b.Addr) })
	u := naming.Update{Snapshot: &naming.Snapshot{Service: service, Revision: 1, Instances: list}}
	if old, ok := w.updates[service]; ok {
		u.Snapshot.Revision = old.Snapshot.Revision + 1
		u.Left = old.Left // a slow watcher misses revisions, and must not miss leaves
		for _, i := range catalog.Diff(old.Snapshot.Instances, list).Removed {
			u.Left = append(slices.Clip(u.Left), i.Addr)
		}
	}
	w.updates[service] = u
	close(w.changed)
	w.changed = make(chan struct{})
	return u.Snapshot.Revision
}

func at(addr string) *naming.Instance {
	return &naming.Instance{Service: "echo", Network: "tcp", Addr: addr, Weight: naming.DefaultWeight}
}

func many(n, weights int) []*naming.Instance {
	out := make([]*naming.Instance, n)
	for i := range out {
		out[i] = at(fmt.Sprintf("10.0.%d.%d:80", i/200, i%200+1))
		out[i].Weight = i%weights + 1
	}
	return out
}

func openCatalog(t testing.TB, w naming.Watcher) *catalog.Catalog {
	t.Helper()
	c, err := catalog.New(w, catalog.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
