package etcd

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

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
