package etcd

import (
	"testing"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

func TestLifecycle(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	server, client := newDriver(t, node.Endpoint()), newDriver(t, node.Endpoint())
	updates := watched(t, client, "user-svc")
	until(t, updates)

	m := join(t, server, claim("user-svc", 1))
	ok := naming.Status{State: "serving"}
	must(t, m.Publish(within(t), ok, false))
	u := until(t, updates, "10.0.0.1:8888")
	if i := u.Snapshot.Instances[0]; i.Weight != naming.DefaultWeight || i.Tags != nil || i.Network != "tcp" {
		t.Errorf("instance = %+v", i)
	}
	out, err := m.Withdraw(within(t), naming.Floor{}, naming.Status{State: "withdrawn", Unfit: true}, naming.Status{})
	if err != nil || out != naming.Withdrawn {
		t.Fatal(out, err)
	}
	if u := until(t, updates); len(u.Left) != 1 || u.Left[0] != "10.0.0.1:8888" {
		t.Errorf("left = %v, want the withdrawn one", u.Left)
	}
	must(t, m.Publish(within(t), ok, false))
	until(t, updates, "10.0.0.1:8888")
	must(t, m.Leave(within(t)))
	until(t, updates)
	must(t, m.Leave(within(t)))
	empty(t, node.Client())
}
