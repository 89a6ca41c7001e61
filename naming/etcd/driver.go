package etcd

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/time/rate"

	"github.com/muster-go/muster/naming"
)

// closeTimeout bounds what Close asks of etcd.
const closeTimeout = 2500 * time.Millisecond

// Driver implements naming.Registrar and naming.Watcher on etcd for one namespace.
type Driver struct {
	cfg      Config
	keys     layout
	conn     *connection
	granting chan struct{} // held while a lease is being taken

	skipped    atomic.Int64
	complaints rate.Sometimes

	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	// mu guards everything that follows.
	mu      sync.Mutex
	closed  bool
	current *session
	members map[string]*membership // by roster key; nil while joining
	// claims are the leases of those that wait, by claim key; nil after Close.
	claims map[string]clientv3.LeaseID
}

var (
	_ naming.Registrar = (*Driver)(nil)
	_ naming.Watcher   = (*Driver)(nil)
)

// New checks the configuration, reads its files once, and returns a driver. It connects to nothing: etcd may be away. A
// file that can't be read or parsed is an error here; one that goes bad later keeps the driver trying and logging.
func New(cfg Config) (*Driver, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	creds, err := cfg.transport()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	return &Driver{
		cfg: cfg, keys: layout{group: cfg.Namespace.Group()}, conn: newConnection(cfg, creds),
		complaints: rate.Sometimes{First: 3, Interval: 10 * time.Second},
		granting:   make(chan struct{}, 1), ctx: ctx, cancel: cancel, members: map[string]*membership{},
		claims: map[string]clientv3.LeaseID{},
	}, nil
}

// Features implements naming.Registrar: etcd can do everything.
func (d *Driver) Features() naming.Features {
	return naming.Features{Roster: true, Floor: true, Marks: true, Operator: true}
}

// Scope implements naming.Watcher.
func (d *Driver) Scope() string { return d.cfg.scope() }

// Link implements naming.Watcher.
func (d *Driver) Link() naming.Link {
	var l naming.Link
	if known := d.conn.sight.link.Load(); known != nil {
		l = *known
	}
	l.Skipped = d.skipped.Load()
	return l
}

// Close leaves everything that is still joined, within 2.5 s, ends all watches, revokes the lease and joins every
// goroutine. What etcd could not be told, because it did not answer, goes with the lease. It is idempotent.
func (d *Driver) Close() error {
	d.mu.Lock()
	first := !d.closed
	d.closed = true
	members := make([]*membership, 0, len(d.members))
	for _, m := range d.members {
		if m != nil { // nil: a Join in progress, which looks at closed itself
			members = append(members, m)
		}
	}
	d.mu.Unlock()
	var err error
	if first {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		err = leaveAll(ctx, members)
		d.dropClaims(ctx)
		d.cancel(naming.ErrClosed)
	}
	d.wg.Wait()
	d.conn.close()
	return err
}

func leaveAll(ctx context.Context, members []*membership) error {
	var wg sync.WaitGroup
	errs := make(chan error, len(members))
	for _, m := range members {
		wg.Go(func() { errs <- m.Leave(ctx) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err // they all have the same cause
		}
	}
	return nil
}

// enter counts a call in, so that Close can wait for it, and ends its context with the driver. stop must be called.
func (d *Driver) enter(ctx context.Context) (_ context.Context, stop func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, nil, naming.ErrClosed
	}
	d.wg.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(d.ctx, func() { cancel(naming.ErrClosed) })
	return ctx, func() { unhook(); cancel(nil); d.wg.Done() }, nil
}

// logFor returns the log of one instance.
func (d *Driver) logFor(i naming.Instance) *slog.Logger {
	return d.cfg.Logger.With("namespace", d.cfg.Namespace.String(), "service", i.Service, "addr", i.Addr)
}
