// Package tour shows what Muster promises: it runs a real etcd and several instances of the demo's services, breaks what
// can break, and measures what comes of it.
package tour

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/demo/internal/etcdnode"
	"github.com/muster-go/muster/demo/internal/rpc"
)

// patience is how long the tour waits for anything before it takes a promise for broken.
const patience = 20 * time.Second

// tour is one run.
type tour struct {
	*screen
	*world
	muster   *muster.Muster // a client alone: it registers nothing
	clients  clients
	ledger   *ledger
	stopLoad func()
	excused  int  // failed calls of the one step that promises nothing about them
	finished bool // every step has been gone through
}

// Run runs the tour and returns the process's exit code: 0 where all promises have been kept, 1 where one was broken or
// the tour failed, 130 where ctx ended before the last step did. With stay, it leaves all running afterwards until ctx
// ends, which is no interruption then.
func Run(ctx context.Context, out *os.File, stay bool) int {
	t := &tour{screen: newScreen(out), ledger: newLedger()}
	fmt.Fprintln(t.w, t.paint(text.Bold, "Muster: a server is in the registry exactly while it is fit to serve."))
	err := t.run(ctx, stay)
	switch {
	case ctx.Err() != nil && !t.finished:
		fmt.Fprintln(t.w, "\ninterrupted; everything has been stopped")
		return 130
	case err != nil && ctx.Err() == nil:
		fmt.Fprintf(t.w, "\n%s %v\n", t.paint(text.FgRed, "the tour failed:"), err)
		return 1
	}
	if t.broken() > 0 {
		return 1
	}
	return 0
}

func (t *tour) run(ctx context.Context, stay bool) (err error) {
	t.stepf("start", "A real etcd %s, 3 instances of %s and 3 of %s, each with its probes db and redis", etcdnode.Version(), rpc.UserService, rpc.OrderService)
	if t.world, err = newWorld(ctx); err != nil {
		return err
	}
	defer t.close()
	if t.muster, err = muster.FromEnv(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.muster.Close()) }()
	if t.clients, err = newClients(t.muster); err != nil {
		return err
	}
	defer func() {
		if t.stopLoad != nil {
			t.stopLoad()
		}
	}()

	for _, step := range []func(context.Context) error{
		t.begin, t.newcomer, t.breakRedis, t.kill, t.term, t.outage, t.namespaces, t.refused, t.wiped,
	} {
		if err := step(ctx); err != nil {
			return t.stuck(ctx, err)
		}
	}
	if stay {
		t.finished = true
		t.summary()
		return t.stay(ctx)
	}
	if err := t.end(ctx); err != nil {
		return t.stuck(ctx, err)
	}
	t.finished = true
	t.summary()
	return nil
}

// stuck ends a tour in which something that was waited for did not come: mostly a promise that was broken.
func (t *tour) stuck(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		t.keep(false, "the tour goes on from here", "stuck", "in time")
		t.summary()
	}
	return err
}

// noFailures records the promise that none of the calls since that place in the ledger failed.
func (t *tour) noFailures(what string, from int) {
	n := t.ledger.since(from)
	t.keep(n.failed == 0 && n.calls > 0, what, n.String(), "0")
	for _, e := range n.errors {
		t.sayf("a call failed: %s", e)
	}
}

// limit bounds one wait of the tour.
func limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %v", patience))
}
