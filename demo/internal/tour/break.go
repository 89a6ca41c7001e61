package tour

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/muster-go/muster/demo/internal/rpc"
)

// atOnce bounds what Muster does without waiting for a clock. It takes milliseconds; the rest is for machines that are
// busy with something else.
const atOnce = 250 * time.Millisecond

// breakRedis: a dependency of one instance breaks, and heals.
func (t *tour) breakRedis(ctx context.Context) error {
	t.stepf("Redis breaks", "The Redis of one instance breaks")
	i, err := t.named("user-2")
	if err != nil {
		return err
	}
	ctx, cancel := limit(ctx)
	defer cancel()

	calls, from, broke := t.ledger.mark(), t.reg.mark(), time.Now()
	i.redis.Close()
	verdict, err := i.awaitProbe(ctx, "redis", false, broke)
	if err != nil {
		return err
	}
	gone, err := t.reg.awaitServing(ctx, from, i.key, false)
	if err != nil {
		return err
	}
	if err := t.ledger.awaitMore(ctx, 300); err != nil {
		return err
	}
	n := t.ledger.since(calls)
	t.sayf("its probe redis ran into the failure three times, and said so %s after the break", short(verdict.Sub(broke)))
	if err := t.sayHealth(ctx, i); err != nil {
		return err
	}
	t.within("the probe fails → withdrawn from etcd", gone.at.Sub(verdict), atOnce)
	t.lastCall("the probe fails → last new call to it", verdict, n.last[i.rpcAddr], atOnce)
	t.noFailures("failed calls since the break", calls)

	t.stepf("Redis heals", "It heals")
	calls, from = t.ledger.mark(), t.reg.mark()
	healed := time.Now()
	if err := i.redis.Restart(); err != nil {
		return err
	}
	if verdict, err = i.awaitProbe(ctx, "redis", true, healed); err != nil {
		return err
	}
	back, err := t.reg.awaitServing(ctx, from, i.key, true)
	if err != nil {
		return err
	}
	first, err := t.firstCall(ctx, calls, i)
	if err != nil {
		return err
	}
	t.sayf("its probe passed %s after the repair", short(verdict.Sub(healed)))
	if err := t.sayHealth(ctx, i); err != nil {
		return err
	}
	t.within("the probe passes → listed in etcd again", back.at.Sub(verdict), atOnce)
	t.within("listed again → first call to it", first.Sub(back.at), time.Second)
	t.noFailures("failed calls meanwhile", calls)
	return nil
}

// awaitProbe returns when a probe's word became ok, or something else, by the instance's own clock.
func (i *instance) awaitProbe(ctx context.Context, probe string, ok bool, after time.Time) (time.Time, error) {
	l, err := i.await(ctx, fmt.Sprintf("probe %s changing", probe), func(l line) bool {
		return l.Msg == "health: probe changed" && l.attr("probe") == probe && (l.attr("to") == "ok") == ok && l.Time.After(after)
	})
	return l.Time, err
}

// kill: nobody says goodbye, so the lease has to run out.
func (t *tour) kill(ctx context.Context) error {
	t.stepf("SIGKILL", "SIGKILL to one instance of %s", rpc.OrderService)
	i, err := t.named("order-2")
	if err != nil {
		return err
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	calls, from, at := t.ledger.mark(), t.reg.mark(), time.Now()
	i.signal(syscall.SIGKILL)
	gone, err := t.reg.awaitServing(ctx, from, i.key, false)
	if err != nil {
		return err
	}
	n := t.ledger.since(calls)
	t.excused += n.failed
	t.sayf("%s calls failed until then: those that it was answering. No retry is set up; where its port refuses a", n)
	t.sayf("connection, Kitex itself picks another instance")
	bound := leaseTTL + time.Second
	t.keep(gone.at.Sub(at) <= bound, "SIGKILL → gone from etcd", short(gone.at.Sub(at)), fmt.Sprintf("≤ TTL + 1s = %v", bound))

	calls = t.ledger.mark()
	if _, err := t.startAll(ctx, "dev", "order-4"); err != nil {
		return err
	}
	if err := t.ledger.awaitMore(ctx, 100); err != nil {
		return err
	}
	t.noFailures("failed calls from then on", calls)
	return nil
}

// term: an instance leaves for good.
func (t *tour) term(ctx context.Context) error {
	t.stepf("SIGTERM", "SIGTERM to one instance of %s", rpc.UserService)
	i, err := t.named("user-4")
	if err != nil {
		return err
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	calls, from, at := t.ledger.mark(), t.reg.mark(), time.Now()
	i.signal(syscall.SIGTERM)
	gone, err := t.reg.awaitServing(ctx, from, i.key, false)
	if err != nil {
		return err
	}
	code, err := i.wait(ctx)
	if err != nil {
		return err
	}
	ended := time.Since(at)
	if err := t.ledger.awaitMore(ctx, 100); err != nil {
		return err
	}
	leases, err := t.reg.leases(ctx)
	if err != nil {
		return err
	}
	alive, err := t.reg.alive(ctx)
	if err != nil {
		return err
	}
	n := t.ledger.since(calls)
	t.sayf("served on for the drain delay of 1 s, and ended after %s", short(ended))
	t.within("SIGTERM → out of etcd", gone.at.Sub(at), atOnce)
	t.lastCall("SIGTERM → last new call to it", at, n.last[i.rpcAddr], atOnce)
	t.keep(code == 0, "exit code", fmt.Sprint(code), "0")
	t.noFailures("failed calls meanwhile", calls)
	t.keep(leases == alive, "leases without a process", fmt.Sprint(leases-alive), "0")
	return nil
}
