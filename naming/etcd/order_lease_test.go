package etcd

import (
	"testing"
	"time"

	"github.com/muster-go/muster/internal/etcdtest"
)

// TestReplacedOrdersLeaveNoLease: each order with an end is on a lease of its own.
func TestReplacedOrdersLeaveNoLease(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	d := newDriver(t, node.Endpoint())
	join(t, d, claim("user-svc", 1))
	for _, until := range []time.Time{time.Now().Add(time.Hour), time.Now().Add(2 * time.Hour), {}, time.Now().Add(time.Hour)} {
		_, err := d.SetOffline(within(t), "user-svc", "10.0.0.1:8888", "me", until)
		must(t, err)
	}
	_, err := d.SetOnline(within(t), "user-svc", "10.0.0.1:8888")
	must(t, err)
	r, err := node.Client().Leases(within(t))
	must(t, err)
	if len(r.Leases) != 1 {
		t.Errorf("%d leases, want the process's alone", len(r.Leases))
	}
}
