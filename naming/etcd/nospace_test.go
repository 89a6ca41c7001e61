package etcd

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// outOfSpace are the ways in which a node runs out of space, and back.
var outOfSpace = map[string]struct {
	edit       func(*embed.Config)
	fill, free func(t *testing.T, node *etcdtest.Node)
}{
	"an alarm": {
		edit: func(*embed.Config) {},
		fill: func(t *testing.T, node *etcdtest.Node) {
			t.Helper()
			_, err := pb.NewMaintenanceClient(node.Client().ActiveConnection()).Alarm(within(t),
				&pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_NOSPACE})
			must(t, err)
		},
		free: disarm,
	},
	"a full quota": {
		edit: func(c *embed.Config) { c.QuotaBackendBytes = 1 << 20 },
		fill: func(t *testing.T, node *etcdtest.Node) {
			t.Helper()
			cli, junk := node.Client(), strings.Repeat("x", 32<<10)
			for {
				_, err := cli.Put(within(t), "junk", junk)
				if errors.Is(err, rpctypes.ErrNoSpace) {
					return
				}
				must(t, err)
			}
		},
		free: func(t *testing.T, node *etcdtest.Node) {
			t.Helper()
			cli := node.Client()
			r, err := cli.Delete(within(t), "junk")
			must(t, err)
			_, err = cli.Compact(within(t), r.Header.Revision, clientv3.WithCompactPhysical())
			must(t, err)
			_, err = cli.Defragment(within(t), node.Endpoint())
			must(t, err)
			disarm(t, node)
		},
	},
}

func disarm(t *testing.T, node *etcdtest.Node) {
	t.Helper()
	_, err := node.Client().AlarmDisarm(within(t), &clientv3.AlarmMember{})
	must(t, err)
}

func servingNow(t *testing.T, node *etcdtest.Node) int {
	t.Helper()
	return len(etcdtest.Keys(t, node.Client(), "muster/dev/default/user-svc/"))
}

// TestWithdrawWithoutSpace: an unfit instance goes, as far as the floor allows, from an etcd that writes nothing. The others
// stay. Once there is space again, everything is written that could not be.
func TestWithdrawWithoutSpace(t *testing.T) {
	t.Parallel()
	for name, c := range outOfSpace {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := etcdtest.Start(t, c.edit)
			all := fleet(t, node, 6)
			updates := watched(t, newDriver(t, node.Endpoint()), "user-svc")
			c.fill(t, node)
			out, held := naming.Status{State: "withdrawn", Unfit: true}, naming.Status{State: "held", Unfit: true}
			for range 2 { // and again, which must change nothing
				var wg sync.WaitGroup
				for _, m := range all {
					wg.Go(func() {
						if _, err := m.Withdraw(within(t), naming.Percent(50), out, held); !errors.Is(err, rpctypes.ErrNoSpace) {
							t.Errorf("error %v, want that the status could not be written", err)
						}
					})
				}
				wg.Wait()
				if n := servingNow(t, node); n != 3 {
					t.Fatalf("%d serve, want 3", n)
				}
			}
			if err := all[0].Publish(within(t), naming.Status{State: "serving"}, false); !errors.Is(err, rpctypes.ErrNoSpace) {
				t.Errorf("publish: %v", err)
			}
			c.free(t, node)
			outcomes := map[naming.Outcome]int{}
			for _, m := range all {
				outcomes[withdraw(t, m, naming.Percent(50))]++
			}
			if outcomes[naming.Withdrawn] != 3 || outcomes[naming.Held] != 3 || servingNow(t, node) != 3 {
				t.Errorf("outcomes %v, %d serve; want 3 of each", outcomes, servingNow(t, node))
			}
			for key, value := range etcdtest.Keys(t, node.Client(), "muster/dev/.roster/default/user-svc/") {
				if e, ok := decodeRoster(testNamespace(t, "dev"), []byte(value)); !ok || !e.Unfit {
					t.Errorf("%s is %s", key, value)
				}
			}
			for _, m := range all {
				must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
			}
			until(t, updates, "10.0.0.1:8888", "10.0.0.2:8888", "10.0.0.3:8888", "10.0.0.4:8888", "10.0.0.5:8888", "10.0.0.6:8888")
		})
	}
}

// TestLeaveWithoutSpace: of two services on one lease, one leaves at once from an etcd that writes nothing.
func TestLeaveWithoutSpace(t *testing.T) {
	t.Parallel()
	for name, c := range outOfSpace {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := etcdtest.Start(t, c.edit)
			d := newDriver(t, node.Endpoint())
			m, other := join(t, d, claim("user-svc", 1)), join(t, d, claim("order-svc", 2))
			must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
			must(t, other.Publish(within(t), naming.Status{State: "serving"}, false))
			c.fill(t, node)
			must(t, m.Leave(within(t)))
			for key := range etcdtest.Keys(t, node.Client(), "muster/dev/") {
				if strings.Contains(key, "user-svc") && !strings.Contains(key, ".guard/") {
					t.Errorf("left behind: %s", key)
				}
			}
			if err := other.Err(); err != nil {
				t.Error(err)
			}
			must(t, other.Leave(within(t)))
			empty(t, node.Client())
		})
	}
}

// overfull does what an etcd does with the write that makes it run out of space: it runs it, and says that it has not.
type overfull struct{ next atomic.Bool }

func (o *overfull) intercept(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	r, err := next(ctx, req)
	if _, ok := req.(*pb.TxnRequest); ok && o.next.CompareAndSwap(true, false) {
		return nil, rpctypes.ErrGRPCNoSpace
	}
	return r, err
}

// TestWriteThatRunsOutOfSpace: the withdrawal has been done, and is said not to have been.
func TestWriteThatRunsOutOfSpace(t *testing.T) {
	t.Parallel()
	var o overfull
	node := etcdtest.Start(t, func(c *embed.Config) {
		c.GRPCAdditionalServerOptions = append(c.GRPCAdditionalServerOptions, grpc.ChainUnaryInterceptor(o.intercept))
	})
	all := fleet(t, node, 2)
	for _, floor := range []naming.Floor{naming.Percent(50), {}} { // with a count before, which is a transaction as well
		h, end, err := all[0].(*membership).begin(within(t))
		must(t, err)
		c, err := all[0].(*membership).count(within(t), h)
		must(t, err)
		p, permitted := c.premises(floor)
		if !permitted {
			t.Fatal("not permitted")
		}
		o.next.Store(true)
		if _, err := all[0].(*membership).tryWithdraw(within(t), h, p, naming.Status{State: "withdrawn", Unfit: true}); err != nil {
			t.Error(err)
		}
		end()
		if got := withdraw(t, all[0], floor); got != naming.Withdrawn {
			t.Error(got)
		}
		if n := servingNow(t, node); n != 1 {
			t.Errorf("%d serve, want 1", n)
		}
		must(t, all[0].Publish(within(t), naming.Status{State: "serving"}, false))
	}
}
