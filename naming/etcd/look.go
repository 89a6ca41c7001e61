package etcd

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/connectivity"

	"github.com/muster-go/muster/naming"
)

const (
	// The tiny read is due after each reconnect, and between these while nothing happens.
	lookMin, lookMax = 30 * time.Second, 60 * time.Second
	lookTimeout      = 2 * time.Second
	// lookRetry is the pause after a failed look; rejections is how many refusals in a row mean a new client.
	lookRetry = 500 * time.Millisecond
	// reasonEvery is how often it is found out why there is no connection. It costs no traffic.
	reasonEvery = time.Second
	rejections  = 3
	// wakeEvery bounds how often an answered doubt wakes those who wait to watch again.
	wakeEvery = 200 * time.Millisecond
)

// guardSight watches the connection until ctx ends, or until the client has to be made anew.
//
// After an etcd that was wiped or restored comes back, clientv3 resumes each watch at a revision that the new data has not
// reached, and hears nothing until it has. One linearizable read tells where its revision or its term is below what was seen,
// or the cluster has another id. Where others have written so much since that none of it shows, only what is there can tell:
// see errAudit.
func (c *connection) guardSight(h *handle) error {
	conn := h.cli.ActiveConnection()
	due, refused := time.Now(), 0
	for c.ctx.Err() == nil {
		state := conn.GetState()
		if c.takeDoubt() || state != connectivity.Ready {
			due = time.Now() // the first thing after each reconnect
		}
		switch state {
		case connectivity.Idle:
			conn.Connect()
		case connectivity.TransientFailure:
			if err := c.reason(conn); err != nil {
				c.away = true
				c.sight.down(c.log, c.cfg.Endpoints, err)
			}
		case connectivity.Ready:
			if time.Now().Before(due) {
				break
			}
			err := c.look(h)
			switch {
			case err == nil:
				c.answered()
				due, refused = time.Now().Add(lookMin+rand.N(lookMax-lookMin)), 0
			case c.ctx.Err() != nil:
				return naming.ErrClosed
			default:
				c.away = true
				c.sight.down(c.log, c.cfg.Endpoints, err)
				due = time.Now().Add(lookRetry/2 + rand.N(lookRetry))
				if rejected(err) {
					refused++
				}
				// A client knows but the one password it was made with, so that it gets no other answer by asking again.
				if refused >= rejections || errors.Is(err, rpctypes.ErrAuthFailed) {
					c.log.Warn("etcd refuses the client's token or password; connecting anew", "err", err)
					return err
				}
			}
		}
		next := due
		if state == connectivity.TransientFailure {
			next = time.Now().Add(reasonEvery)
		}
		c.waitChange(conn, state, next)
	}
	return naming.ErrClosed
}

// answered takes in that a look was answered. The connection's own goroutine calls it.
func (c *connection) answered() {
	c.sight.up(c.log, c.cfg.Endpoints)
	if c.away {
		c.away = false
		c.sight.cameBack()
	}
	if c.asked && time.Since(c.woke) >= wakeEvery {
		c.woke = time.Now()
		c.sight.wakeUp()
	}
	c.asked = false
}

type stateWaiter interface {
	WaitForStateChange(ctx context.Context, s connectivity.State) bool
}

func (c *connection) waitChange(conn stateWaiter, state connectivity.State, due time.Time) {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	// Otherwise only a change makes a look possible, or the reason another one.
	if state == connectivity.Ready || state == connectivity.TransientFailure {
		ctx, cancel = context.WithDeadline(ctx, due)
		defer cancel()
	}
	if c.sleep(cancel) {
		conn.WaitForStateChange(ctx, state)
	}
}

// doubt asks for a look at once, since etcd has refused a request's credentials: whether the client has to be made anew
// must not take until the next look, when the lease may have run out. Any goroutine may call it.
func (c *connection) doubt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doubted = true
	if c.wake != nil {
		c.wake()
	}
}

// takeDoubt reports whether there has been a doubt since it was last called.
func (c *connection) takeDoubt() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.doubted
	c.doubted, c.wake = false, nil
	c.asked = c.asked || was
	return was
}

// sleep lets a doubt call wake, and reports whether there is none yet.
func (c *connection) sleep(wake context.CancelFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wake = wake
	return !c.doubted
}

// look reads next to nothing, linearizably, and compares the history's length with what was seen before.
func (c *connection) look(h *handle) error {
	ctx, cancel := context.WithTimeout(c.ctx, lookTimeout)
	defer cancel()
	rev, term := c.sight.rev.Load(), c.sight.term.Load()
	r, err := h.Get(ctx, ".guard/", clientv3.WithPrefix(), clientv3.WithCountOnly(), clientv3.WithLimit(1))
	if err != nil {
		return err
	}
	c.judge(r.Header, rev, term)
	return nil
}

// judge begins a new era if an answer is older than what was known before it was asked for.
func (c *connection) judge(now *pb.ResponseHeader, rev int64, term uint64) {
	cluster := c.sight.cluster.Swap(now.ClusterId)
	if now.Revision < rev || now.RaftTerm < term || cluster != 0 && cluster != now.ClusterId {
		c.log.Error("etcd's data has been wiped or restored from a backup; reading everything anew",
			"revision_seen", rev, "revision_now", now.Revision)
		c.sight.rev.Store(now.Revision)
		c.sight.term.Store(now.RaftTerm)
		c.sight.newEra()
		return
	}
	c.sight.saw(now.Revision)
	for old := c.sight.term.Load(); now.RaftTerm > old && !c.sight.term.CompareAndSwap(old, now.RaftTerm); old = c.sight.term.Load() {
	}
}
