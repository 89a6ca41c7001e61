package etcd

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// between lets something happen once, after an instance has counted and before its withdrawal commits.
type between struct{ then atomic.Pointer[func()] }

func (b *between) intercept(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if t, ok := req.(*pb.TxnRequest); ok && len(t.Success) > 0 && strings.Contains(string(t.Success[0].GetRequestPut().GetValue()), `"leaving"`) {
		if f := b.then.Swap(nil); f != nil {
			(*f)()
		}
	}
	return next(ctx, req)
}

// TestBetweenCountAndCommit: three are alive, one of them withdrawn, and the second may withdraw when it counts. What
// happens then takes that right away, so it has to be held.
func TestBetweenCountAndCommit(t *testing.T) {
	t.Parallel()
	for name, meddle := range map[string]func(t *testing.T, node *etcdtest.Node, cli *clientv3.Client){
		"another joins": func(t *testing.T, node *etcdtest.Node, _ *clientv3.Client) {
			join(t, newDriver(t, node.Endpoint()), claim("user-svc", 4))
		},
		"the other one's lease ends": func(t *testing.T, _ *etcdtest.Node, cli *clientv3.Client) {
			r, err := cli.Get(within(t), strings.Replace(rosterKey, "0.1:", "0.3:", 1))
			must(t, err)
			_, err = cli.Revoke(within(t), clientv3.LeaseID(r.Kvs[0].Lease))
			must(t, err)
		},
		"a stranger takes the other one's place": func(t *testing.T, _ *etcdtest.Node, cli *clientv3.Client) {
			key := strings.Replace(servingKey, "0.1:", "0.3:", 1)
			watch := cli.Watch(within(t), key)
			put := func() {
				_, err := cli.Put(within(t), key, `{"network":"tcp","address":"10.0.0.3:8888","weight":1,"tags":null}`)
				must(t, err)
			}
			put()
			for r := range watch { // it is taken back, once
				must(t, r.Err())
				if r.Events[len(r.Events)-1].Kv.Lease != 0 {
					break
				}
			}
			put()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b between
			node := etcdtest.Start(t, func(c *embed.Config) {
				c.GRPCAdditionalServerOptions = append(c.GRPCAdditionalServerOptions, grpc.ChainUnaryInterceptor(b.intercept))
			})
			cli := node.Client()
			all := fleet(t, node, 3)
			if o := withdraw(t, all[0], naming.Percent(50)); o != naming.Withdrawn {
				t.Fatalf("the first one is %v", o)
			}
			done := false
			then := func() { meddle(t, node, cli); done = true }
			b.then.Store(&then)
			if o := withdraw(t, all[1], naming.Percent(50)); o != naming.Held || !done {
				t.Errorf("the second one is %v, want held", o)
			}
		})
	}
}

// TestBetweenCountAndCommitOfMany: where the witnesses don't fit one transaction, the end of a lease in between is noticed
// within it, and the instance is back before anybody else can act on its absence.
func TestBetweenCountAndCommitOfMany(t *testing.T) {
	t.Parallel()
	var b between
	node := etcdtest.Start(t, func(c *embed.Config) {
		c.GRPCAdditionalServerOptions = append(c.GRPCAdditionalServerOptions, grpc.ChainUnaryInterceptor(b.intercept))
	})
	cli := node.Client()
	const n = maxWitnesses + 3
	crowd := newDriver(t, node.Endpoint()) // one process, so one lease, for all but two
	for i := range n - 2 {
		must(t, join(t, crowd, claim("user-svc", i+3)).Publish(within(t), naming.Status{State: "serving"}, false))
	}
	all := fleet(t, node, 2)
	floor := naming.Count(n - 1)
	then := func() {
		r, err := cli.Get(within(t), strings.Replace(rosterKey, "0.1:", "0.2:", 1))
		must(t, err)
		_, err = cli.Revoke(within(t), clientv3.LeaseID(r.Kvs[0].Lease))
		must(t, err)
	}
	b.then.Store(&then)
	if o := withdraw(t, all[0], floor); o != naming.Held {
		t.Errorf("%v, want held", o)
	}
	if got := etcdtest.Keys(t, cli, servingKey)[servingKey]; !strings.Contains(got, "id-1") || strings.Contains(got, tagState) {
		t.Errorf("serving value %q, want what it was", got)
	}
}
