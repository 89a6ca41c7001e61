package etcd

import (
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// TestRestoredEtcdListsNobodyWhoIsNotToBe: the older data have the lease and the serving keys of an instance that has been
// withdrawn since, and of one that has left. The lease lives on.
func TestRestoredEtcdListsNobodyWhoIsNotToBe(t *testing.T) {
	t.Parallel()
	node := etcdtest.StartProcess(t)
	server := newDriver(t, node.Endpoint(), func(c *Config) { c.LeaseTTL = 30 * time.Second })
	updates := watched(t, newDriver(t, node.Endpoint()), "user-svc")
	withdrawn, leaves := join(t, server, claim("user-svc", 1)), join(t, server, claim("other-svc", 2))
	for _, m := range []naming.Membership{withdrawn, leaves} {
		must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	}
	until(t, updates, "10.0.0.1:8888")

	node.Kill()
	saved := t.TempDir()
	must(t, os.CopyFS(saved, os.DirFS(node.Dir())))
	must(t, node.Start())
	_, err := withdrawn.Withdraw(within(t), naming.Floor{}, naming.Status{State: "withdrawn", Unfit: true}, naming.Status{})
	must(t, err)
	must(t, leaves.Leave(within(t)))
	until(t, updates)
	node.Kill()
	must(t, os.RemoveAll(node.Dir()))
	must(t, os.CopyFS(node.Dir(), os.DirFS(saved)))
	must(t, node.Start())

	deleted(t, node.Endpoint(), servingKey, "muster/dev/default/other-svc/10.0.0.2:8888", "muster/dev/.roster/default/other-svc/10.0.0.2:8888")
	if withdrawn.Err() != nil {
		t.Error(withdrawn.Err())
	}
	must(t, withdrawn.Publish(within(t), naming.Status{State: "serving"}, false)) // it may come back
	until(t, updates, "10.0.0.1:8888")
}

// deleted waits until etcd's history has a deletion of each of the keys.
func deleted(t *testing.T, endpoint string, keys ...string) {
	t.Helper()
	want := map[string]bool{}
	for _, k := range keys {
		want[k] = true
	}
	for r := range etcdtest.Client(t, endpoint).Watch(within(t), "muster/", clientv3.WithPrefix(), clientv3.WithRev(1)) {
		for _, e := range r.Events {
			if e.Type == clientv3.EventTypeDelete {
				delete(want, string(e.Kv.Key))
			}
		}
		if len(want) == 0 {
			return
		}
	}
	t.Fatalf("still there: %v", slices.Collect(maps.Keys(want)))
}
