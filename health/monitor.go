package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is returned by Add after Close.
var ErrClosed = errors.New("health: the monitor is closed")

// closeGrace is how long Close waits for the checks that are in flight after it has ended their contexts.
const closeGrace = time.Second

// Options are the parts of a monitor that are not probes. The zero value is good.
type Options struct {
	// Logger hears of each change of a probe's word; nil means slog.Default(). It is called by the goroutine that runs the
	// probes, so one that blocks makes them stale.
	Logger *slog.Logger

	// ErrorText returns what the log says of a check's error; "" says nothing but its class. Nil means the error's own text,
	// clipped, with what looks like a credential (user:password@, password=...) masked.
	ErrorText func(probe string, err error) string
}

// Monitor runs probes and keeps their report. Its methods are safe for concurrent use.
type Monitor struct {
	log       *slog.Logger
	errorText func(string, error) string

	// epoch is the zero of the monitor's clock, on which all its times are durations: they compare and subtract at once, and
	// the wall clock may be set meanwhile.
	epoch time.Time

	// current is what readers see. It is replaced as a whole, by writers that hold mu, and by a reader that finds that a
	// word in it has gone stale.
	current atomic.Pointer[current]

	// planned is when the scheduler means to wake next, on the monitor's clock; 0 while it has nothing to do.
	planned atomic.Int64

	ctx    context.Context // of every check
	cancel context.CancelFunc
	poke   chan struct{} // one slot: the schedule has changed
	loop   chan struct{} // closed when the scheduler has returned
	idle   chan struct{} // closed when Close has begun and no check is in flight any more
	once   sync.Once     // Close

	mu            sync.Mutex // guards what follows; no user code runs with it held
	tasks         []*task    // sorted by name
	registrations []*Source
	running       bool
	closed        bool
	started       bool
	left          bool
	inFlight      int
}

// New returns a monitor of these probes, or an error that names the probe and the field. It starts nothing: until Start
// the status is starting.
func New(o Options, probes ...Probe) (*Monitor, error) {
	m := &Monitor{
		log:       o.Logger,
		errorText: o.ErrorText,
		epoch:     time.Now(),
		poke:      make(chan struct{}, 1),
		loop:      make(chan struct{}),
		idle:      make(chan struct{}),
	}
	if m.log == nil {
		m.log = slog.Default()
	}
	if m.errorText == nil {
		m.errorText = func(_ string, err error) string { return scrub(err.Error()) }
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.current.Store(&current{report: &Report{}, changed: make(chan struct{}), staleAt: never})
	for _, p := range probes {
		if err := m.add(p); err != nil {
			m.cancel()
			return nil, err
		}
	}
	m.publishLocked() // nobody else knows m yet
	return m, nil
}

// Add adds a probe, before or after Start. It errs as New does, and after Close. A critical probe that is added to a
// running monitor makes the process unfit until it has passed.
func (m *Monitor) Add(p Probe) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	if err := m.add(p); err != nil {
		return err
	}
	m.publishLocked()
	m.wake()
	return nil
}

func (m *Monitor) add(p Probe) error {
	p, err := p.withDefaults()
	if err != nil {
		return err
	}
	i := 0
	for i < len(m.tasks) && m.tasks[i].probe.Name < p.Name {
		i++
	}
	if i < len(m.tasks) && m.tasks[i].probe.Name == p.Name {
		return fmt.Errorf("health: probe %q: Name: there is one of that name already; rename one of them", p.Name)
	}
	t := newTask(p)
	if m.running {
		t.schedule(m.now())
	}
	m.tasks = append(m.tasks[:i:i], append([]*task{t}, m.tasks[i:]...)...)
	return nil
}

// Start begins to run the probes. Calling it again, or after Close, does nothing.
func (m *Monitor) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running || m.closed {
		return
	}
	m.running = true
	now := m.now()
	for _, t := range m.tasks {
		t.schedule(now)
	}
	m.publishLocked()
	go m.run()
}

// Close ends every check's context, stops the probes and returns when the monitor's goroutines have ended, except that it
// waits one second at most for checks, since one may ignore its context: such a goroutine stays until its check returns.
// The report stays readable and goes stale in its time. Close may be called again, and always returns nil.
func (m *Monitor) Close() error {
	m.once.Do(m.close)
	return nil
}

func (m *Monitor) close() {
	m.mu.Lock()
	m.closed = true
	running := m.running
	if m.inFlight == 0 {
		close(m.idle)
	}
	m.mu.Unlock()

	m.cancel()
	if running {
		<-m.loop
	}
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-m.idle:
	case <-grace.C:
		m.logStuck()
	}
}

// Alive reports whether the process can run its probes: false only while the scheduler should have woken ten seconds ago
// and has not. It knows nothing of dependencies, and is true before Start and after Close. It is what a liveness check
// asks, since a restart helps against nothing else.
func (m *Monitor) Alive() bool {
	const grace = 10 * time.Second // a busy machine is no reason to be restarted
	at := m.planned.Load()
	return at == 0 || m.now() < time.Duration(at)+grace
}

// now reads the monitor's clock.
func (m *Monitor) now() time.Duration { return time.Since(m.epoch) }

// wake tells the scheduler to look at its tasks again.
func (m *Monitor) wake() {
	select {
	case m.poke <- struct{}{}:
	default:
	}
}
