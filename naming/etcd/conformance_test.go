package etcd

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync/atomic"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

// TestConformance runs the suite of every driver's against a real etcd.
func TestConformance(t *testing.T) {
	var requests atomic.Int64
	node := etcdtest.Start(t, func(c *embed.Config) {
		c.GRPCAdditionalServerOptions = append(c.GRPCAdditionalServerOptions, grpc.ChainUnaryInterceptor(
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				requests.Add(1)
				return next(ctx, req)
			}))
	})
	cli := node.Client()
	full := func(ns naming.Namespace, key string) string { return prefix(DefaultRoot, ns) + key }
	member := func(ns naming.Namespace, service, addr string) memberKeys {
		return layout{group: ns.Group()}.member(service, addr)
	}
	put := func(t testing.TB, key, value string) {
		t.Helper()
		_, err := cli.Put(within(t), key, value)
		must(t, err)
	}
	del := func(t testing.TB, key string) {
		t.Helper()
		_, err := cli.Delete(within(t), key)
		must(t, err)
	}
	marshal := func(t testing.TB, v any) string {
		t.Helper()
		b, err := json.Marshal(v)
		must(t, err)
		return string(b)
	}
	namingtest.Run(t, namingtest.Harness{
		New: func(t testing.TB, ns naming.Namespace) namingtest.Process {
			d, err := New(Config{Namespace: ns, Endpoints: []string{node.Endpoint()}, Logger: slog.New(slog.DiscardHandler)})
			must(t, err)
			return d
		},
		Patience: patience,
		Requests: requests.Load,
		Faults: namingtest.Faults{
			ExpireLease: func(t testing.TB, p namingtest.Process) {
				d := p.(*Driver)
				d.mu.Lock()
				id := d.current.id
				d.mu.Unlock()
				_, err := cli.Revoke(within(t), id)
				must(t, err)
			},
			DeleteServing: func(t testing.TB, ns naming.Namespace, service, addr string) {
				del(t, full(ns, member(ns, service, addr).serving))
			},
			DeleteRoster: func(t testing.TB, ns naming.Namespace, service, addr string) {
				del(t, full(ns, member(ns, service, addr).roster))
			},
			PutForeign: func(t testing.TB, ns naming.Namespace, in naming.Instance) {
				in, err := in.Normalize()
				must(t, err)
				put(t, full(ns, member(ns, in.Service, in.Addr).serving),
					marshal(t, wireInstance{Network: in.Network, Address: in.Addr, Weight: in.Weight, Tags: in.Tags}))
			},
			PutRubbish: func(t testing.TB, ns naming.Namespace, service string) {
				put(t, full(ns, layout{group: ns.Group()}.serving(service)+"not an address"), "rubbish")
			},
			SetOffline: func(t testing.TB, ns naming.Namespace, in naming.Instance, by string) {
				put(t, full(ns, member(ns, in.Service, in.Addr).operator), marshal(t, order{ID: in.ID, By: by}))
			},
			SetOnline: func(t testing.TB, ns naming.Namespace, in naming.Instance) {
				del(t, full(ns, member(ns, in.Service, in.Addr).operator))
			},
		},
	})
	leases, err := cli.Leases(within(t))
	must(t, err)
	if n := len(leases.Leases); n > 0 {
		t.Errorf("%d leases left behind by the suite", n)
	}
	r, err := cli.Get(within(t), "", clientv3.WithFromKey(), clientv3.WithKeysOnly())
	must(t, err)
	for _, kv := range r.Kvs {
		if kv.Lease != 0 {
			t.Errorf("left behind: %s", kv.Key)
		}
	}
}
