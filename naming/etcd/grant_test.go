package etcd

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/internal/etcdtest"
)

// TestJoinThatIsCutShortLeavesNoLease: a service may be deregistered while it still joins, at whatever point of the way.
func TestJoinThatIsCutShortLeavesNoLease(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	d := newDriver(t, node.Endpoint())
	must(t, join(t, d, claim("user-svc", 1)).Leave(within(t))) // connected
	short := 0
	for range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), rand.N(3*time.Millisecond))
		m, err := d.Join(ctx, claim("user-svc", 1))
		cancel()
		if err != nil {
			short++
			continue
		}
		must(t, m.Leave(within(t)))
	}
	must(t, d.Close())
	t.Logf("%d of 200 were cut short", short)
	empty(t, node.Client())
}

// TestJoinThatIsCutShortLeavesNoKey: where the lease is kept alive by another service of the process, what a claim wrote
// whose answer nobody waited for would stay for as long as the process does.
func TestJoinThatIsCutShortLeavesNoKey(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	d := newDriver(t, node.Endpoint())
	other := join(t, d, claim("order-svc", 2))
	for range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), rand.N(3*time.Millisecond))
		m, err := d.Join(ctx, claim("user-svc", 1))
		cancel()
		if err == nil {
			ctx, cancel := context.WithTimeout(t.Context(), rand.N(3*time.Millisecond))
			_ = m.Leave(ctx) // cut short as well
			cancel()
		}
	}
	// The next renewals sweep up. Nothing else of this service is written any more, so the last event tells.
	cli := node.Client()
	watch := cli.Watch(within(t), "muster/dev/", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	<-watch
	left := func() (n int) {
		for key := range etcdtest.Keys(t, cli, "muster/dev/") {
			if strings.Contains(key, "user-svc") && !strings.Contains(key, ".guard/") {
				n++
			}
		}
		return n
	}
	for left() > 0 {
		if r := <-watch; r.Canceled {
			t.Fatalf("%d keys are left: %v", left(), r.Err())
		}
	}
	if other.Err() != nil {
		t.Errorf("the other service went along: %v", other.Err())
	}
	must(t, other.Leave(within(t)))
	must(t, d.Close())
	empty(t, cli)
}
