package catalog

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/naming"
)

// Catalog answers which instances a service has. Its methods are safe for concurrent use.
type Catalog struct {
	w    naming.Watcher
	o    Options
	id   string
	disk *disk // nil without CacheDir
	seq  atomic.Uint64
	// dials is what each dial of a suspect holds.
	dials chan struct{}

	// entries is replaced as a whole under mu, so that Lookup reads it without.
	entries atomic.Pointer[map[string]*entry]

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // one for each entry
	done   chan struct{}  // closed when Close has finished

	mu         sync.Mutex // guards everything that follows, and the replacement of entries
	closed     bool
	extensions map[any]io.Closer
	past       map[string]*View // last views of idle services, no more than MaxWatches
}

// New returns a catalog of what w sees. It starts nothing: the first Lookup of a service starts its watch. The caller
// closes w after the catalog.
func New(w naming.Watcher, o Options) (*Catalog, error) {
	if w == nil {
		return nil, fmt.Errorf("catalog: New got a nil naming.Watcher: pass a driver")
	}
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	c := &Catalog{
		w:          w,
		o:          o,
		id:         rand.Text()[:10],
		dials:      make(chan struct{}, o.Dials),
		done:       make(chan struct{}),
		extensions: make(map[any]io.Closer),
		past:       make(map[string]*View),
	}
	if o.CacheDir != "" {
		if c.disk, err = newDisk(o, w.Scope()); err != nil {
			return nil, err
		}
	}
	c.entries.Store(new(map[string]*entry))
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Scope names what the catalog sees; see naming.Watcher.
func (c *Catalog) Scope() string { return c.w.Scope() }

// ID tells this catalog from every other one, also from a later one of the same scope.
func (c *Catalog) ID() string { return c.id }

// Link returns the state of the connection to the registry: while it is down, Since says from when on views may be old.
func (c *Catalog) Link() naming.Link { return c.w.Link() }

// Logger returns where the catalog logs to, so that an adapter logs to the same place.
func (c *Catalog) Logger() *slog.Logger { return c.o.Logger }

// Lookup returns the latest view of a service, starting a watch where there is none. It waits for the first view only,
// until ctx ends or FirstWait has passed since the watch began; then the error wraps ErrNoView. A name that can't be one
// is an error that wraps naming.ErrInvalid. After Close it returns what was known last, or ErrClosed.
func (c *Catalog) Lookup(ctx context.Context, service string) (*View, error) {
	if e := (*c.entries.Load())[service]; e != nil {
		if v := e.view.Load(); v != nil {
			e.touch()
			return v, nil
		}
	}
	return c.first(ctx, service)
}

// first waits for a service's first view.
func (c *Catalog) first(ctx context.Context, service string) (*View, error) {
	e, err := c.acquire(service)
	if err != nil {
		return nil, err
	}
	defer c.release(e)
	timer := time.NewTimer(time.Until(e.began.Add(c.o.FirstWait)))
	defer timer.Stop()
	// A view that is there wins over a time that has run out.
	select {
	case <-e.ready:
		return e.view.Load(), nil
	default:
	}
	select {
	case <-e.ready:
		return e.view.Load(), nil
	case <-e.failed:
		return nil, e.err
	case <-c.ctx.Done():
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("%w of %q yet: %w", ErrNoView, service, ctx.Err())
	case <-timer.C:
		if link := c.w.Link(); !link.Up && link.Err != nil {
			return nil, fmt.Errorf("%w of %q yet: the registry has not answered since %s: %w", ErrNoView, service, e.began.Format(time.RFC3339), link.Err)
		}
		return nil, fmt.Errorf("%w of %q yet: the registry has not answered since %s", ErrNoView, service, e.began.Format(time.RFC3339))
	}
}

// acquire returns the entry of a service, made if need be, which does not go idle before release.
func (c *Catalog) acquire(service string) (*entry, error) {
	if err := naming.CheckService(service); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	entries := *c.entries.Load()
	e := entries[service]
	switch {
	case c.closed:
		return nil, ErrClosed
	case e == nil && len(entries) >= c.o.MaxWatches:
		return nil, fmt.Errorf("%w: %d services are watched and %q would be one more: raise catalog.Options.MaxWatches if so many are meant",
			ErrTooMany, len(entries), service)
	case e == nil:
		e = newEntry(c, service)
		entries = maps.Clone(entries)
		if entries == nil {
			entries = make(map[string]*entry)
		}
		entries[service] = e
		c.entries.Store(&entries)
		c.wg.Go(e.run)
	}
	e.users++
	return e, nil
}

func (c *Catalog) release(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.users--
	e.touch()
}

// retire takes the entry out if nobody uses it, and reports whether it did. While the registry is away nothing is: who
// asks again could not be told. The last view is remembered for the time when the registry is away then.
func (c *Catalog) retire(e *entry) bool {
	link := c.w.Link()
	c.mu.Lock()
	defer c.mu.Unlock()
	v := e.view.Load()
	if e.users > 0 || e.touched.Load() || v != nil && !link.Up {
		return false
	}
	entries := maps.Clone(*c.entries.Load())
	delete(entries, e.service)
	c.entries.Store(&entries)
	if v != nil {
		c.remember(v)
	}
	return true
}

// remember keeps the view of a service whose watch ends, in the place of the oldest where there are too many. It is
// called with mu held.
func (c *Catalog) remember(v *View) {
	if len(c.past) >= c.o.MaxWatches {
		var oldest *View
		for _, p := range c.past {
			if oldest == nil || p.Saved.Before(oldest.Saved) {
				oldest = p
			}
		}
		delete(c.past, oldest.Service)
	}
	old := *v
	if old.Saved.IsZero() {
		old.Saved = time.Now()
	}
	old.Suspects = nil
	c.past[v.Service] = &old
}

// recall returns the view of a service that was idle, or nil, and forgets it.
func (c *Catalog) recall(service string) *View {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.past[service]
	delete(c.past, service)
	return v
}

// Close ends every watch and subscription and joins their goroutines; extensions are closed first. It may be called again
// and from several goroutines; each call returns when all is over.
func (c *Catalog) Close() error {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.mu.Unlock()
	if again {
		<-c.done
		return nil
	}
	defer close(c.done)
	// Nobody adds an extension any more, so the map is read without the lock: closing one may call the catalog.
	for _, x := range c.extensions {
		_ = x.Close()
	}
	c.cancel()
	c.wg.Wait()
	if c.disk != nil {
		c.disk.close() // after those who save
	}
	return nil
}

// Extension returns what open once returned for that key, calling open the first time. It lets an adapter to a framework
// keep one object for each catalog without a global map; the key should be of a type of its own, as those of
// context.WithValue. Close closes each extension before the watches end. open must not call the catalog. After Close it is
// an error.
func (c *Catalog) Extension(key any, open func() io.Closer) (io.Closer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x, ok := c.extensions[key]; ok {
		return x, nil
	}
	if c.closed {
		return nil, ErrClosed
	}
	x := open()
	c.extensions[key] = x
	return x, nil
}
