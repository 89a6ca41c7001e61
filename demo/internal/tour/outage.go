package tour

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/muster-go/muster/demo/internal/rpc"
)

// outage: etcd is away for longer than any lease lives.
func (t *tour) outage(ctx context.Context) error {
	const away = 2 * leaseTTL
	t.step("etcd away", "etcd is killed, and stays away for %v: twice as long as a lease lives", away)
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
	t.say("one more instance of %s starts meanwhile, without a registry", rpc.UserService)
	for tick := time.Tick(2 * time.Second); back != nil; {
		select {
		case <-tick:
			t.say("%s calls failed so far", t.ledger.since(calls))
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

	t.step("etcd back", "etcd comes back, with the data that it had")
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
	want := append(listed, late.key)
	missing := slices.DeleteFunc(slices.Clone(want), func(k string) bool { return slices.Contains(now, k) })
	t.keep(len(missing) == 0 && len(now) == len(want), "still listed a lease TTL + 1 s later",
		fmt.Sprintf("%d of %d", len(want)-len(missing), len(want)), "all")
	for _, k := range missing {
		t.say("missing: %s", k)
	}
	t.noFailures("failed calls meanwhile", calls)
	return nil
}
