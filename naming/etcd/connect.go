package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/namespace"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"

	"github.com/muster-go/muster/naming"
)

const (
	// Without these, gRPC's own backoff grows to minutes, and the first request after a long outage waits for it. With gRPC's
	// jitter of a fifth, and the time to connect, the longest wait stays within a second.
	connectBase    = 100 * time.Millisecond
	connectMax     = 700 * time.Millisecond
	connectTimeout = 2 * time.Second

	// pingEvery is the least that gRPC and etcd's enforcement policy allow.
	pingEvery   = 10 * time.Second
	pingTimeout = 3 * time.Second
)

// handle is one client, bound to the namespace's prefix. It is replaced as a whole.
type handle struct {
	cli *clientv3.Client
	clientv3.KV
	watcher clientv3.Watcher
	// opening is held for reading while a watch is opened, and for writing while the watcher is closed: it counts its watches
	// by a WaitGroup, to which none may be added while it waits.
	opening sync.RWMutex
}

// watch opens a watch. After close its channel is closed.
func (h *handle) watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	h.opening.RLock()
	defer h.opening.RUnlock()
	return h.watcher.Watch(ctx, key, opts...)
}

func (h *handle) close() {
	_ = h.cli.Close() // before the lock: it ends what waits for a stream
	h.opening.Lock()
	defer h.opening.Unlock()
	_ = h.watcher.Close()
}

// connection owns the client. It is made in the background, since with a user it can't be made while etcd is away, and
// made anew when etcd has stopped accepting its token for good.
type connection struct {
	cfg    Config
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	start  sync.Once
	done   chan struct{}

	sight sight
	away  bool                             // etcd has not answered a look since the last that it did; the goroutine's alone
	asked bool                             // there was a doubt since the last look that was answered; the goroutine's alone
	woke  time.Time                        // when a look last woke those who found no leader; the goroutine's alone
	creds credentials.TransportCredentials // nil for plain text

	// mu guards everything that follows.
	mu    sync.Mutex
	cur   *handle
	ready chan struct{} // closed while cur is set
	last  error         // why cur is not set
	// doubted asks for a look at once, and wake ends the wait for the next one.
	doubted bool
	wake    context.CancelFunc
}

func newConnection(cfg Config, creds credentials.TransportCredentials) *connection {
	ctx, cancel := context.WithCancel(context.Background())
	return &connection{
		cfg: cfg, creds: creds, log: cfg.Logger, ctx: ctx, cancel: cancel, done: make(chan struct{}),
		ready: make(chan struct{}), sight: newSight(),
	}
}

// get returns the client, waiting for it until ctx ends.
func (c *connection) get(ctx context.Context) (*handle, error) {
	c.start.Do(func() { go c.run() })
	for {
		c.mu.Lock()
		h, ready, last := c.cur, c.ready, c.last
		c.mu.Unlock()
		if h != nil {
			return h, nil
		}
		select {
		case <-ready:
		case <-c.ctx.Done():
			return nil, naming.ErrClosed
		case <-ctx.Done():
			if last != nil {
				return nil, fmt.Errorf("etcd: no connection: %w (%w)", last, context.Cause(ctx))
			}
			return nil, fmt.Errorf("etcd: no connection: %w", context.Cause(ctx))
		}
	}
}

// close ends the connection and joins its goroutine.
func (c *connection) close() {
	c.cancel()
	c.start.Do(func() { close(c.done) }) // never used: nothing to join
	<-c.done
}

func (c *connection) run() {
	defer close(c.done)
	bo := newBackoff(connectBase, 2*time.Second)
	for c.ctx.Err() == nil {
		h, err := c.dial()
		if err != nil {
			c.fail(err)
			wait(c.ctx, bo.NextBackOff())
			continue
		}
		bo.Reset()
		c.set(h, nil)
		err = c.guardSight(h)
		c.set(nil, err)
		h.close()
	}
}

func (c *connection) set(h *handle, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cur, c.last = h, err
	if h != nil {
		close(c.ready)
	} else {
		c.ready = make(chan struct{})
	}
}

func (c *connection) fail(err error) {
	c.mu.Lock()
	c.last = err
	c.mu.Unlock()
	c.sight.down(c.log, c.cfg.Endpoints, err)
}

// dial makes a client. With a user it asks etcd for a token, and errs while etcd is away.
func (c *connection) dial() (*handle, error) {
	password, err := c.cfg.password()
	if err != nil {
		return nil, err
	}
	cli, err := c.client(c.cfg.Username, password)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) { // of the token: find out why
			err = c.without(err)
		}
		return nil, fmt.Errorf("etcd: %w", plain(err))
	}
	p := prefix(c.cfg.Root, c.cfg.Namespace)
	return &handle{cli: cli, KV: namespace.NewKV(cli.KV, p), watcher: namespace.NewWatcher(cli.Watcher, p)}, nil
}

// without returns why a client without a user would get no answer either, or err if it would.
func (c *connection) without(err error) error {
	cli, cerr := c.client("", "")
	if cerr != nil {
		return err
	}
	defer cli.Close()
	if why := c.reason(cli.ActiveConnection()); why != nil {
		return why
	}
	return err
}

func (c *connection) client(username, password string) (*clientv3.Client, error) {
	options := []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           grpcbackoff.Config{BaseDelay: connectBase, Multiplier: 1.6, Jitter: 0.2, MaxDelay: connectMax},
		MinConnectTimeout: connectTimeout,
	})}
	if c.creds != nil {
		options = append(options, grpc.WithTransportCredentials(c.creds))
	}
	return clientv3.New(clientv3.Config{
		Context:              c.ctx,
		Endpoints:            c.cfg.Endpoints,
		Username:             username,
		Password:             password,
		DialTimeout:          connectTimeout,
		DialKeepAliveTime:    pingEvery,
		DialKeepAliveTimeout: pingTimeout,
		PermitWithoutStream:  true,
		Logger:               zap.NewNop(),
		DialOptions:          options,
	})
}

// newBackoff returns a capped exponential backoff whose waits are jittered by half.
func newBackoff(base, most time.Duration) *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.RandomizationFactor, b.Multiplier = base, most, 0.5, 2
	return b
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// rejected reports whether etcd refused the credentials, as it does for ever once a token is gone, or the password has been
// changed. A watch is refused with the error's text as its reason, so the text is what there is to compare.
func rejected(err error) bool {
	for _, e := range []error{rpctypes.ErrInvalidAuthToken, rpctypes.ErrUserEmpty, rpctypes.ErrAuthOldRevision, rpctypes.ErrAuthFailed} {
		if strings.Contains(err.Error(), e.Error()) {
			return true
		}
	}
	return false
}
