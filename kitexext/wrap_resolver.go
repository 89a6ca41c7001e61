package kitexext

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	randv2 "math/rand/v2"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/cloudwego/kitex/pkg/discovery"

	"github.com/muster-go/muster/naming"
)

const (
	// firstRetry is the pause after the first failed poll; it doubles up to the interval.
	firstRetry = 200 * time.Millisecond
	// pollJitter spreads the polls of many processes.
	pollJitter = 0.1
)

// WrapResolver makes a driver for a catalog of any resolver that was written for Kitex:
//
//	c, err := catalog.New(kitexext.WrapResolver(r), catalog.Options{})
//
// Since such a resolver can only be asked, each service in use is polled, every [PollInterval]; a change thus arrives after
// half of that on the average. A poll that errs, or takes longer than [PollTimeout], keeps the last view; see [NoInstance]
// for resolvers that err where there is no instance. An empty answer without an error is an empty view. No leave is ever
// announced, so that a catalog takes those that vanish in great numbers, or the last one, for suspects, and keeps them for
// its Options.SuspectFor while they accept connections: also those that a gate has withdrawn. Options.NoSuspects believes
// the registry at once.
//
// A resolver that ignores its context has at most one call in flight for each watch, which goes on in a goroutine of its own
// after a poll's timeout and after the end of the watch, until it returns. A panic of r is an error.
//
// Instances whose address is no host:port that can be dialed are left out. Of two with one address the first is taken.
// Weights below 1 become naming.DefaultWeight; those above naming.MaxWeight become that.
func WrapResolver(r discovery.Resolver, opts ...WatcherOption) *WrappedResolver {
	o := watcherOptions{interval: DefaultPollInterval, timeout: DefaultPollTimeout}
	for _, opt := range opts {
		if opt != nil {
			opt.applyWatcher(&o)
		}
	}
	if o.log == nil {
		o.log = slog.Default()
	}
	w := &WrappedResolver{r: r, o: o, closed: make(chan struct{})}
	if o.scope == "" {
		o.scope = rand.Text()
	}
	name := "nil"
	if r != nil {
		name = r.Name()
	}
	w.scope = "kitex/" + name + "/" + o.scope
	return w
}

// WrappedResolver is the driver that [WrapResolver] makes. It is safe for concurrent use.
type WrappedResolver struct {
	r      discovery.Resolver
	o      watcherOptions
	scope  string
	closed chan struct{}

	mu      sync.Mutex // guards everything that follows
	over    bool
	watches int
	failing int // of the watches, whose last poll failed
	link    naming.Link
}

var _ naming.Watcher = (*WrappedResolver)(nil)

// Scope implements naming.Watcher: the resolver's name, and [PollScope] or else an id of this value's.
func (w *WrappedResolver) Scope() string { return w.scope }

// Link implements naming.Watcher: it is up while the last poll of at least one watch has succeeded.
func (w *WrappedResolver) Link() naming.Link {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.link
}

// skipped counts what one answer of the resolver had that is left out.
func (w *WrappedResolver) skipped(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.link.Skipped += int64(n)
}

// Close ends every watch. The resolver is not closed: Kitex's interface has no way to do that.
func (w *WrappedResolver) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.over = true
		close(w.closed)
	}
	return nil
}

func (w *WrappedResolver) isClosed() bool {
	select {
	case <-w.closed:
		return true
	default:
		return false
	}
}

// Watch implements naming.Watcher.
func (w *WrappedResolver) Watch(ctx context.Context, service string, emit func(naming.Update)) error {
	if w.r == nil {
		return fmt.Errorf("kitexext: %w: WrapResolver got a nil resolver", naming.ErrInvalid)
	}
	if err := naming.CheckService(service); err != nil {
		return fmt.Errorf("kitexext: %w", err)
	}
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.Multiplier = min(firstRetry, w.o.interval), 2
	retry.MaxInterval = w.o.interval
	p := &poll{w: w, service: service}
	defer w.enter(p)()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if w.isClosed() {
			return naming.ErrClosed
		}
		view, err := p.once(ctx)
		if ctx.Err() != nil || w.isClosed() {
			continue
		}
		w.note(p, err)
		pause := jittered(w.o.interval)
		if err != nil {
			pause = retry.NextBackOff()
		} else {
			retry.Reset()
			if view != nil {
				emit(naming.Update{Snapshot: view})
			}
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
		case <-w.closed:
		}
		t.Stop()
	}
}

func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 + pollJitter*(2*randv2.Float64()-1)))
}

// enter counts a watch in, and returns what counts it out.
func (w *WrappedResolver) enter(p *poll) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watches++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.watches--
		if p.failing {
			w.failing--
		}
	}
}

// note takes the result of a watch's poll in.
func (w *WrappedResolver) note(p *poll, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if failing := err != nil; failing != p.failing {
		p.failing = failing
		if failing {
			w.failing++
			w.o.log.Warn("the resolver does not answer; the last view stays", "scope", w.scope, "service", p.service, "error", err)
		} else {
			w.failing--
			w.o.log.Info("the resolver answers again", "scope", w.scope, "service", p.service)
		}
	}
	up := err == nil || w.failing < w.watches && w.link.Up
	if up != w.link.Up || w.link.Since.IsZero() {
		w.link.Up, w.link.Since = up, time.Now()
	}
	if w.link.Err = nil; !up {
		w.link.Err = err
	}
}
