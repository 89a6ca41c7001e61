package catalog

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/muster-go/muster/naming"
)

// entry is one service in use. Its run is the one owner of its state; Lookup reads view alone.
type entry struct {
	c       *Catalog
	service string
	began   time.Time

	view    atomic.Pointer[View]
	touched atomic.Bool   // looked up since the owner last asked
	ready   chan struct{} // closed after the first view
	failed  chan struct{} // closed after err was set: the registry will never watch this
	err     error

	users int // guarded by Catalog.mu

	mu    sync.Mutex // guards everything that follows
	subs  []*Subscription
	ended bool

	// What follows belongs to run.
	state   state
	updates chan naming.Update
	dialed  chan dialed
	dialing bool
	redial  bool // suspects came up while dialing
}

func newEntry(c *Catalog, service string) *entry {
	return &entry{
		c:       c,
		service: service,
		began:   time.Now(),
		ready:   make(chan struct{}),
		failed:  make(chan struct{}),
		updates: make(chan naming.Update),
		dialed:  make(chan dialed),
	}
}

// touch notes a use. It reads before it writes, so that lookups on many cores share the cache line.
func (e *entry) touch() {
	if !e.touched.Load() {
		e.touched.Store(true)
	}
}

// idleSteps is into how many parts the idle time is divided.
const idleSteps = 4

// confirmSteps is into how many parts the age at which a copy is refused is divided: while the registry answers, the copy of
// a service that does not change is no older than one of them.
const confirmSteps = 8

// run owns the service until it is idle or the catalog closes.
func (e *entry) run() {
	ctx, cancel := context.WithCancel(e.c.ctx)
	var wg sync.WaitGroup
	wg.Go(func() { e.watch(ctx) })
	defer e.end()
	defer wg.Wait()
	defer cancel()

	idle := time.NewTicker(max(e.c.o.Idle/idleSteps, 1))
	defer idle.Stop()
	unused := 0
	age := time.NewTimer(0) // when suspects are given up
	age.Stop()
	defer age.Stop()
	again := time.NewTimer(0) // when suspects are dialed again
	again.Stop()
	defer again.Stop()
	copied := time.NewTimer(e.c.o.FirstWait / 2) // when a copy is better than nothing
	defer copied.Stop()
	confirmed := time.NewTicker(max(e.c.o.CacheMaxAge/confirmSteps, 1)) // when the copy is written though nothing changed
	defer confirmed.Stop()

	for {
		select {
		case <-ctx.Done():
			e.confirm()
			return
		case <-idle.C:
			if e.touched.Swap(false) {
				unused = 0
			} else if unused++; unused >= idleSteps && e.c.retire(e) {
				return
			}
			continue
		case <-confirmed.C:
			e.confirm()
			continue
		case <-copied.C:
			e.useCopy()
			continue
		case u := <-e.updates:
			e.update(u)
		case d := <-e.dialed:
			if d.over {
				e.dialing = false
				if len(e.state.suspects()) > 0 {
					again.Reset(redialMin + rand.N(redialMax-redialMin))
				}
			}
			if d.refused != nil {
				e.refused(d.refused)
			}
		case <-again.C:
			e.redial = true
		case <-age.C:
			e.age()
		}
		if wake := e.state.wake(); !wake.IsZero() {
			age.Reset(max(time.Until(wake), 0))
		}
		if e.redial && !e.dialing {
			e.redial = false
			if suspects := e.state.suspects(); len(suspects) > 0 {
				e.dialing = true
				wg.Go(func() { e.c.dialAll(ctx, suspects, e.dialed) })
			}
		}
	}
}

// watch hands the registry's updates to run. A driver's Watch ends with its context; one that ends before is called again,
// unless the name is to blame.
func (e *entry) watch(ctx context.Context) {
	pause := &backoff.ExponentialBackOff{InitialInterval: 100 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 5 * time.Second}
	for {
		err := e.c.w.Watch(ctx, e.service, func(u naming.Update) {
			select {
			case e.updates <- u:
				pause.Reset()
			case <-ctx.Done():
			}
		})
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, naming.ErrInvalid) {
			e.err = err
			close(e.failed)
			return
		}
		d := pause.NextBackOff()
		e.c.o.Logger.Warn("catalog: a watch ended by itself and is started again", "service", e.service, "in", d, "err", err)
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return
		}
	}
}

func (e *entry) update(u naming.Update) {
	if u.Snapshot == nil {
		return
	}
	switch v := e.view.Load(); {
	case v == nil:
		e.c.recall(e.service) // never needed
	case !v.Saved.IsZero():
		e.c.o.Logger.Info("catalog: the registry's view replaces the copy", "service", e.service, "instances", len(u.Snapshot.Instances))
	}
	hold := e.c.o.SuspectFor
	if e.c.o.NoSuspects {
		hold = 0
	}
	before := len(e.state.suspects())
	e.state = e.state.updated(u, time.Now(), hold)
	if n := len(e.state.suspects()); n > before {
		e.redial = true
		e.c.o.Logger.Warn("catalog: many instances vanished without leaving: they are kept while they accept connections",
			"service", e.service, "listed", len(e.state.listed), "suspects", n, "for", hold)
	}
	e.publish(u.Snapshot.Revision)
}

func (e *entry) refused(i *naming.Instance) {
	before := len(e.state.missing)
	e.state = e.state.refused(i)
	if len(e.state.missing) < before {
		e.c.o.Logger.Info("catalog: a suspect accepts no connection and is dropped", "service", e.service, "addr", i.Addr)
		e.publish(e.view.Load().Revision)
	}
}

func (e *entry) age() {
	before := len(e.state.suspects())
	e.state = e.state.aged(time.Now())
	if n := len(e.state.suspects()); n < before {
		e.c.o.Logger.Warn("catalog: suspects are dropped: the registry has not listed them again in time",
			"service", e.service, "dropped", before-n, "after", e.c.o.SuspectFor)
		e.publish(e.view.Load().Revision)
	}
}

// publish makes the state the view, and tells the subscribers if the instances are others than before.
func (e *entry) publish(revision int64) {
	suspects := e.state.suspects()
	v := &View{
		Service:   e.service,
		Instances: merged(e.state.listed, suspects),
		Suspects:  suspects,
		Revision:  revision,
		Made:      time.Now(),
	}
	old := e.view.Load()
	same := old != nil && slices.Equal(old.Instances, v.Instances)
	if same {
		// One slice for one list lets readers compare views by it.
		v.Instances, v.Seq, v.Made = old.Instances, old.Seq, old.Made
	} else {
		v.Seq = e.c.seq.Add(1)
	}
	e.view.Store(v)
	if old == nil {
		close(e.ready)
	}
	if !same {
		e.tell()
	}
	if e.c.disk != nil && (!same || !old.Saved.IsZero()) {
		e.c.disk.save(v)
	}
}

// confirm has the view written anew while the registry answers: a copy is as old as the registry's last word on it, not as
// the last change.
func (e *entry) confirm() {
	if e.c.disk == nil || !e.c.w.Link().Up {
		return
	}
	if v := e.view.Load(); v != nil && v.Saved.IsZero() {
		e.c.disk.save(v)
	}
}

// useCopy makes what was known before the view, if the registry has not answered yet: what this process knew before the
// service was idle, or else what is on disk. What the registry's first answer then lacks has lapsed like any other: nobody
// said that it would go.
func (e *entry) useCopy() {
	if e.view.Load() != nil {
		return
	}
	now := time.Now()
	old := e.c.recall(e.service)
	if old != nil && now.Sub(old.Saved) >= e.c.o.CacheMaxAge {
		old = nil
	}
	if old != nil {
		e.c.o.Logger.Warn("catalog: the registry has not answered: what was known before the service was idle is used", "service", e.service,
			"instances", len(old.Instances), "age", now.Sub(old.Saved).Round(time.Second))
	} else if e.c.disk != nil {
		old = e.c.disk.read(e.service, now)
	}
	if old == nil {
		return
	}
	v := *old
	v.Seq, v.Made = e.c.seq.Add(1), now
	e.state = state{listed: v.Instances}
	e.view.Store(&v)
	close(e.ready)
	e.tell()
}
