package tour

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/muster-go/muster/demo/internal/rpc"
)

// outage: etcd is away for longer than any lease lives.
func (t *tour) outage(ctx context.Context) error {
	const away = 2 * leaseTTL
	t.stepf("etcd away", "etcd is killed, and stays away for %v: twice as long as a lease lives", away)
	ctx, cancel := limit(ctx)
	defer cancel()
	listed, err := t.reg.serving(ctx)
	if err != nil {
		return err
	}
	calls := t.ledger.mark()
	if err := t.killEtcd(ctx); err != nil {
		return err
	}
	back := time.After(away)

	late, err := t.start(ctx, "dev", "user-5", rpc.UserService)
	if err != nil {
		return err
	}
	t.sayf("one more instance of %s starts meanwhile, without a registry", rpc.UserService)
	for tick := time.Tick(2 * time.Second); back != nil; {
		select {
		case <-tick:
			t.sayf("%s calls failed so far", t.ledger.since(calls))
		case <-back:
			back = nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := t.sayHealth(ctx, late); err != nil {
		return err
	}
	t.noFailures("failed calls", calls)

	t.stepf("etcd back", "etcd comes back, with the data that it had")
	calls = t.ledger.mark()
	if err := t.startEtcd(ctx); err != nil {
		return err
	}
	answers := time.Now()
	first, err := t.firstCall(ctx, calls, late)
	if err != nil {
		return err
	}
	t.within("etcd answers → the new one is called", first.Sub(answers), 5*time.Second)

	// The leases have been given a full life at etcd's return. If nobody renewed them, they would run out now.
	select {
	case <-time.After(leaseTTL + time.Second):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	now, err := t.reg.serving(ctx)
	if err != nil {
		return err
	}
	want := slices.Concat(listed, []string{late.key})
	missing := slices.DeleteFunc(slices.Clone(want), func(k string) bool { return slices.Contains(now, k) })
	t.keep(len(missing) == 0 && len(now) == len(want), "still listed a lease TTL + 1 s later",
		fmt.Sprintf("%d of %d", len(want)-len(missing), len(want)), "all")
	for _, k := range missing {
		t.sayf("missing: %s", k)
	}
	t.noFailures("failed calls meanwhile", calls)
	return nil
}

// wiped: etcd comes back and knows nobody. No lease can be renewed, and a watch that goes on where it was hears nothing.
func (t *tour) wiped(ctx context.Context) error {
	t.stepf("etcd wiped", "etcd loses everything: it is killed, and comes back empty")
	ctx, cancel := limit(ctx)
	defer cancel()
	want, err := t.reg.serving(ctx)
	if err != nil {
		return err
	}
	calls := t.ledger.mark()
	if err := t.killEtcd(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(t.etcdDir()); err != nil {
		return err
	}
	if err := t.startEtcd(ctx); err != nil {
		return err
	}
	answers := time.Now()
	var now []string
	for tick := time.Tick(5 * time.Millisecond); ; { // the tour's own watch is as deaf as any now
		if now, err = t.reg.serving(ctx); err == nil && slices.Equal(now, want) {
			break
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return fmt.Errorf("of %v only %v are listed again: %w", want, now, context.Cause(ctx))
		}
	}
	t.within(fmt.Sprintf("etcd answers → all %d listed again", len(want)), time.Since(answers), 5*time.Second)
	if err := t.ledger.awaitMore(ctx, 300); err != nil {
		return err
	}
	t.noFailures("failed calls", calls)
	return nil
}
