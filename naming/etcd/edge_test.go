package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
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

// TestJunkKeepsNobodyOut: what holds an address is a live process's.
func TestJunkKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	for name, junk := range map[string]string{
		"no JSON":                 "x",
		"a megabyte":              strings.Repeat("[", 1<<20),
		"another namespace's":     `{"network":"tcp","address":"10.0.0.1:8888","weight":1,"tags":{"muster.namespace":"prod","muster.id":"p"}}`,
		"an instance by hand":     `{"network":"tcp","address":"10.0.0.1:8888","weight":1}`,
		"one of Muster's by hand": `{"network":"tcp","address":"10.0.0.1:8888","weight":1,"tags":{"muster.namespace":"dev","muster.group":"default","muster.id":"q"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := node.Client().Put(within(t), servingKey, junk)
			must(t, err)
			d := newDriver(t, node.Endpoint())
			c := claim("user-svc", 1)
			c.Again = true
			m := join(t, d, c)
			must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
			must(t, m.Leave(within(t)))
			must(t, d.Close())
		})
	}
}

// TestIDMustBeText: another one is written as what it is not, and not known again.
func TestIDMustBeText(t *testing.T) {
	t.Parallel()
	c := claim("user-svc", 1)
	c.Instance.ID = "id\xff"
	if _, err := newDriver(t, "127.0.0.1:1").Join(within(t), c); !errors.Is(err, naming.ErrInvalid) {
		t.Error(err)
	}
}

// byStranger is what an unmodified registry-etcd writes.
const byStranger = `{"network":"tcp","address":"10.0.0.1:8888","weight":10}`

// TestAConflictEndsWhileWithdrawn: who is not listed has no conflict about the key that it does not want.
func TestAConflictEndsWhileWithdrawn(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	cli := node.Client()
	d := newDriver(t, node.Endpoint())
	m := join(t, d, claim("user-svc", 1))
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	for range 2 { // the first is taken back
		_, err := cli.Put(within(t), servingKey, byStranger)
		must(t, err)
		for m.Notice().Conflict == "" && etcdtest.Keys(t, cli, servingKey)[servingKey] == byStranger {
			if within(t).Err() != nil {
				t.Fatal("nothing happens")
			}
		}
	}
	conflict(t, m, "written by")
	_, err := m.Withdraw(within(t), naming.Floor{}, naming.Status{State: "withdrawn", Unfit: true}, naming.Status{})
	must(t, err)
	if got := etcdtest.Keys(t, cli, servingKey)[servingKey]; got != byStranger {
		t.Errorf("the stranger's value is %q", got)
	}
	_, err = cli.Delete(within(t), servingKey)
	must(t, err)
	conflict(t, m, "")
}

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
