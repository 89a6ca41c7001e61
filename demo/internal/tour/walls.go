package tour

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/demo/internal/rpc"
	"github.com/muster-go/muster/naming"
)

// namespaces: two environments in one process, with clients of the same service names.
func (t *tour) namespaces(ctx context.Context) error {
	t.stepf("two namespaces", "A second namespace, staging, with clients in this same process")
	ctx, cancel := limit(ctx)
	defer cancel()
	staged, err := t.startAll(ctx, "staging", "staging-user", "staging-order")
	if err != nil {
		return err
	}
	other, err := t.inNamespace(ctx, "staging")
	if err != nil {
		return err
	}
	defer other.Close()
	clients, err := newClients(other)
	if err != nil {
		return err
	}

	isStaged := func(addr string) bool {
		return slices.ContainsFunc(staged, func(i *instance) bool { return i.rpcAddr == addr })
	}
	from, crossed, failed := t.ledger.mark(), 0, 0
	const calls = 200
	for n := range calls {
		c := clients.one(ctx, n)
		if c.err != nil {
			failed++
			t.sayf("a call failed: %v", c.err)
		}
		for _, h := range c.hops {
			if !isStaged(h.Instance) {
				crossed++
			}
		}
	}
	if err := t.ledger.awaitMore(ctx, 100); err != nil {
		return err
	}
	dev := t.ledger.since(from)
	for addr, n := range dev.answered {
		if isStaged(addr) {
			crossed += n
		}
	}
	t.keep(crossed == 0 && failed == 0, "answers from the wrong namespace", fmt.Sprintf("%d of %d", crossed, calls+dev.calls), "0")
	t.noFailures("failed calls meanwhile", from)
	return nil
}

// inNamespace returns a Muster like the tour's own, in another namespace.
func (t *tour) inNamespace(ctx context.Context, name string) (*muster.Muster, error) {
	cfg, err := muster.ParseEnv()
	if err != nil {
		return nil, err
	}
	if cfg.Namespace, err = naming.NewNamespace(name, ""); err != nil {
		return nil, err
	}
	return muster.New(ctx, cfg)
}

// refused: a protected namespace is entered by nobody who has not said so twice.
func (t *tour) refused(ctx context.Context) error {
	const variable = "MUSTER_CONFIRM_NAMESPACE=prod"
	t.stepf("prod", "prod, from this process that is in dev")
	ctx, cancel := limit(ctx)
	defer cancel()
	m, err := t.inNamespace(ctx, "prod")
	if err == nil {
		_ = m.Close()
	}
	t.sayf("%v", err)
	t.keep(errors.Is(err, naming.ErrProtected) && strings.Contains(fmt.Sprint(err), variable), "a client for prod", verdict(err != nil), "refused, and told how")

	p, err := t.starter.start("a server in prod", []string{"MUSTER_NAMESPACE=prod", "DEMO_RPC_ADDR=127.0.0.1:0", "DEMO_HTTP_ADDR=127.0.0.1:0"}, rpc.UserService)
	if err != nil {
		return err
	}
	code, err := p.wait(ctx)
	if err != nil {
		p.signal(syscall.SIGKILL)
		t.sayf("%v", err)
	}
	t.keep(err == nil && code == 1 && strings.Contains(p.tail(5), variable), "a server for prod", verdict(code != 0), "refused, and told how")
	return nil
}

func verdict(refused bool) string {
	if refused {
		return "refused"
	}
	return "let in"
}

// end stops all, and looks at what is left.
func (t *tour) end(ctx context.Context) error {
	t.stepf("the end", "SIGTERM to all that is left")
	ctx, cancel := limit(ctx)
	defer cancel()
	t.stopLoad()
	t.stopLoad = nil
	n := t.ledger.since(0)

	at := time.Now()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		codes []string
	)
	for _, i := range t.instances {
		if i.ended() {
			continue // killed or stopped before
		}
		wg.Go(func() {
			i.signal(syscall.SIGTERM)
			if code, err := i.wait(ctx); err != nil || code != 0 {
				mu.Lock()
				defer mu.Unlock()
				codes = append(codes, fmt.Sprintf("%s: exit code %d, %v\n%s", i.name, code, err, i.tail(5)))
			}
		})
	}
	wg.Wait()
	took := time.Since(at)
	serving, err := t.reg.serving(ctx)
	if err != nil {
		return err
	}
	alive, err := t.reg.alive(ctx)
	if err != nil {
		return err
	}
	leases, err := t.reg.leases(ctx)
	if err != nil {
		return err
	}
	t.sayf("all ended within %s", short(took))
	for _, c := range codes {
		t.sayf("%s", c)
	}
	t.keep(len(codes) == 0, "exit codes other than 0", fmt.Sprint(len(codes)), "0")
	t.keep(len(serving) == 0 && alive == 0 && leases == 0, "left in etcd",
		fmt.Sprintf("%d entries, %d leases", len(serving)+alive, leases), "nothing")
	t.keep(n.failed == t.excused && n.calls > 0, "failed calls in all, but the SIGKILL's", fmt.Sprintf("%d of %d", n.failed-t.excused, n.calls), "0")
	return nil
}
