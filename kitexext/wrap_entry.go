package kitexext

import (
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/cloudwego/kitex/pkg/registry"
)

const (
	// maxHung is how many calls of one instance may hang before no more are made.
	maxHung = 3
	// lastTries is how often an instance that has left is tried to be taken out.
	lastTries = 5
)

// entry is one instance in a foreign registry. One goroutine, run, makes the calls for it; it ends once nobody holds the
// entry and nothing is left to do. All fields that change are under the driver's lock.
type entry struct {
	d     *WrappedRegistry
	key   entryKey
	wake  chan struct{} // has room for one
	ended chan struct{}

	holder   *wrappedMember // nil after it has left
	info     registry.Info
	state    foreign
	flying   bool          // a call is in flight whose result the state lacks
	asked    bool          // somebody asks: don't wait for the next try
	changed  chan struct{} // closed and replaced when something here has changed
	failures int
	err      error // of the last failure
	tries    int   // since the last success
	hung     int
	pace     *backoff.ExponentialBackOff
}

func newEntry(d *WrappedRegistry, key entryKey) *entry {
	pace := backoff.NewExponentialBackOff()
	pace.InitialInterval, pace.MaxInterval = time.Second, 30*time.Second
	return &entry{
		d: d, key: key, pace: pace,
		wake: make(chan struct{}, 1), ended: make(chan struct{}), changed: make(chan struct{}),
	}
}

// settled says whether the registry has what is wanted, as far as can be known. The lock is held.
func (e *entry) settled() bool { return !e.flying && e.state.next() == callNothing }

// ask makes run look again, and try what has failed, at once. The lock is held.
func (e *entry) ask() {
	e.asked = true
	e.nudge()
}

// nudge makes run look again.
func (e *entry) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// tell wakes those who wait for a change. The lock is held.
func (e *entry) tell() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// run brings the registry to what is wanted.
func (e *entry) run() {
	defer close(e.ended)
	for {
		pause, over := e.look()
		if over {
			return
		}
		if pause != 0 {
			e.wait(pause)
			continue
		}
		select {
		case e.d.slot <- struct{}{}:
		case <-e.wake:
			continue // what is wanted may have changed
		}
		if f := e.depart(); f != nil {
			e.follow(f)
		}
		<-e.d.slot
	}
}

// look says how long to pause, negative for until woken, or whether all is over.
func (e *entry) look() (pause time.Duration, over bool) {
	e.d.mu.Lock()
	defer e.d.mu.Unlock()
	idle := e.state.next() == callNothing
	if idle {
		e.asked = false
	}
	if e.holder == nil && !idle && (e.tries >= lastTries || e.d.over && e.tries > 0) {
		e.d.o.log.Error("gave up taking an instance out of the registry", "service", e.key.service, "addr", e.key.addr, "error", e.err)
		e.state.have, e.tries = listingAbsent, 0
		idle = true
	}
	switch {
	case idle && e.holder == nil && e.hung == 0:
		delete(e.d.entries, e.key)
		return 0, true
	case idle || e.hung >= maxHung:
		return -1, false
	case e.asked || e.tries == 0:
		return 0, false
	}
	return e.pace.NextBackOff(), false
}

func (e *entry) wait(pause time.Duration) {
	if pause < 0 {
		<-e.wake
		return
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-e.wake:
	case <-t.C:
		e.d.mu.Lock()
		defer e.d.mu.Unlock()
		e.asked = true
	}
}

// flight is one call in progress.
type flight struct {
	call      foreignCall
	done      chan struct{}
	err       error
	abandoned bool
}

// depart begins the call that is to be made, if there still is one.
func (e *entry) depart() *flight {
	e.d.mu.Lock()
	defer e.d.mu.Unlock()
	e.asked = false
	f := &flight{call: e.state.next(), done: make(chan struct{})}
	if f.call == callNothing {
		return nil
	}
	e.flying = true
	info := copyInfo(e.info)
	go func() {
		err := e.do(f.call, info)
		e.d.mu.Lock()
		defer e.d.mu.Unlock()
		f.err = err
		close(f.done)
		if f.abandoned {
			e.d.o.log.Warn("a call of the registry has returned late", "call", f.call.String(), "service", e.key.service,
				"addr", e.key.addr, "error", err)
			e.hung--
			e.state = e.state.late(f.call, err == nil)
			e.tell()
			e.ask()
		}
	}()
	return f
}

// follow waits for a call for as long as the limit allows.
func (e *entry) follow(f *flight) {
	t := time.NewTimer(e.d.o.limit)
	defer t.Stop()
	select {
	case <-f.done:
	case <-t.C:
	}
	e.d.mu.Lock()
	defer e.d.mu.Unlock()
	defer e.tell()
	e.flying = false
	select {
	case <-f.done:
	default:
		f.abandoned = true
		e.hung++
		e.state = e.state.abandoned(f.call)
		e.fail(fmt.Errorf("kitexext: %s of %s at %s has not returned for %v", f.call, e.key.service, e.key.addr, e.d.o.limit))
		e.d.o.log.Error("a call of the registry hangs; it is not waited for any more", "call", f.call.String(),
			"service", e.key.service, "addr", e.key.addr, "after", e.d.o.limit, "hanging", e.hung)
		return
	}
	var failed bool
	if e.state, failed = e.state.returned(f.call, f.err == nil); failed {
		e.fail(fmt.Errorf("kitexext: %s of %s at %s: %w", f.call, e.key.service, e.key.addr, f.err))
		return
	}
	e.tries = 0
	e.pace.Reset()
}

// fail notes a failure. The lock is held.
func (e *entry) fail(err error) {
	e.failures++
	e.tries++
	e.err = err
}

// do makes the call. A panic of it is an error.
func (e *entry) do(c foreignCall, info *registry.Info) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it panicked: %v", r)
		}
	}()
	if c == callRegister {
		return e.d.r.Register(info)
	}
	return e.d.r.Deregister(info)
}
