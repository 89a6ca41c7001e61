package etcd

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// meddler does something just before a withdrawal commits.
type meddler struct {
	on atomic.Bool
	do func()
}

func (m *meddler) intercept(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if t, ok := req.(*pb.TxnRequest); ok && len(t.Compare) > 2 && m.on.CompareAndSwap(true, false) {
		m.do()
	}
	return next(ctx, req)
}

// TestAWithdrawalThatLosesWhereNobodyServes: by hand, the instance's own entry has become another's, under its own lease.
func TestAWithdrawalThatLosesWhereNobodyServes(t *testing.T) {
	t.Parallel()
	var md meddler
	node := etcdtest.Start(t, func(c *embed.Config) {
		c.GRPCAdditionalServerOptions = append(c.GRPCAdditionalServerOptions, grpc.ChainUnaryInterceptor(md.intercept))
	})
	cli := node.Client()
	m := join(t, newDriver(t, node.Endpoint()), claim("user-svc", 1))
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	entry, err := json.Marshal(rosterEntry{ID: "else"})
	must(t, err)
	md.do = func() {
		_, _ = cli.Put(context.Background(), rosterKey, string(entry), clientv3.WithIgnoreLease())
		_, _ = cli.Put(context.Background(), "muster/dev/.guard/default/user-svc", "1")
	}
	md.on.Store(true)
	_, err = m.Withdraw(within(t), naming.Floor{}, naming.Status{State: "withdrawn", Unfit: true}, naming.Status{})
	must(t, err)
	if n := len(etcdtest.Keys(t, cli, servingKey)); n != 0 {
		t.Error("it is still listed")
	}
}

// TestALatePublicationListsNobody: a publication that the client has given up is carried out when the instance is withdrawn
// already, and the fence that would have stopped it is gone.
func TestALatePublicationListsNobody(t *testing.T) {
	t.Parallel()
	var l lossy
	node := etcdtest.Start(t, func(c *embed.Config) {
		c.GRPCAdditionalServerOptions = append(c.GRPCAdditionalServerOptions, grpc.ChainUnaryInterceptor(l.intercept))
	})
	m := join(t, newDriver(t, node.Endpoint()), claim("user-svc", 1)).(*membership)
	m.op <- struct{}{}
	clear(m.wrote)
	<-m.op
	l.slow.Store(true)
	if err := m.Publish(within(t), naming.Status{State: "serving"}, false); err == nil {
		t.Fatal("it was not lost")
	}
	_, err := m.Withdraw(within(t), naming.Floor{}, naming.Status{State: "withdrawn", Unfit: true}, naming.Status{})
	must(t, err)
	m.op <- struct{}{}
	clear(m.wrote)
	<-m.op
	must(t, l.late())
	deleted(t, node.Endpoint(), servingKey)
}

// TestReadingForgetsNoNewerWrite: what is read is compared with what was written before it was read.
func TestReadingForgetsNoNewerWrite(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	d := newDriver(t, node.Endpoint())
	m := join(t, d, claim("user-svc", 1)).(*membership)
	h, err := d.conn.get(within(t))
	must(t, err)
	m.op <- struct{}{} // the gate's, writing
	k := &keeper{m: m, trouble: map[string]int64{}}
	read := make(chan error, 1)
	go func() { _, err := k.read(within(t), h); read <- err }()
	must(t, m.annotate(within(t), h, naming.Status{State: "waiting", Version: "2"}))
	wrote := m.wrote[m.keys.roster]
	<-m.op
	must(t, <-read)
	if m.wrote[m.keys.roster] != wrote || k.trouble[m.keys.roster] != 0 {
		t.Errorf("it wrote at %d, and knows of %d, with trouble at %v", wrote, m.wrote[m.keys.roster], k.trouble)
	}
}
