package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// beforeClaim lets something happen once, after a join has read and before its claim commits.
type beforeClaim struct{ then atomic.Pointer[func()] }

func (b *beforeClaim) intercept(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if t, ok := req.(*pb.TxnRequest); ok && len(t.Success) > 0 && string(t.Success[0].GetRequestPut().GetKey()) == rosterKey {
		if f := b.then.Swap(nil); f != nil {
			(*f)()
		}
	}
	return next(ctx, req)
}

// TestOrderDuringARejoin: an order is given, or taken back, while an instance joins again under its id. It must not be lost.
func TestOrderDuringARejoin(t *testing.T) {
	t.Parallel()
	key := "muster/dev/.operator/default/user-svc/10.0.0.1:8888"
	value, err := json.Marshal(order{ID: "id-1", By: "alice"})
	must(t, err)
	for name, before := range map[string]bool{"offline": false, "online": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b beforeClaim
			node := etcdtest.Start(t, func(c *embed.Config) {
				c.GRPCAdditionalServerOptions = append(c.GRPCAdditionalServerOptions, grpc.ChainUnaryInterceptor(b.intercept))
			})
			cli := node.Client()
			give := func() { _, err := cli.Put(within(t), key, string(value)); must(t, err) }
			take := func() { _, err := cli.Delete(within(t), key); must(t, err) }
			then := give
			if before {
				give()
				then = take
			}
			b.then.Store(&then)
			m := join(t, newDriver(t, node.Endpoint()), claim("user-svc", 1))
			if b.then.Load() != nil {
				t.Fatal("nothing happened in between")
			}
			if o := m.Notice().Offline; (o == nil) != before {
				t.Errorf("the order is %+v", o)
			}
		})
	}
}

// TestOrderForNobodyLeavesNoLease: the lease of an order with an end goes with an order that can't be given.
func TestOrderForNobodyLeavesNoLease(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	d := newDriver(t, node.Endpoint())
	if _, err := d.SetOffline(within(t), "user-svc", "10.0.0.9:8888", "alice", time.Now().Add(time.Hour)); !errors.Is(err, ErrNoInstance) {
		t.Errorf("error %v, want ErrNoInstance", err)
	}
	empty(t, node.Client())
	m := join(t, d, claim("user-svc", 1))
	_, err := d.SetOffline(within(t), "user-svc", "10.0.0.1:8888", "alice", time.Now().Add(time.Hour))
	must(t, err)
	for m.Notice() == (naming.Notice{}) {
		select {
		case <-m.Changed():
		case <-within(t).Done():
			t.Fatal("the order is not heard")
		}
	}
	if was, err := d.SetOnline(within(t), "user-svc", "10.0.0.1:8888"); !was || err != nil {
		t.Error(was, err)
	}
	must(t, m.Leave(within(t)))
	empty(t, node.Client())
}
