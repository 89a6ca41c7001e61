package etcd

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

func TestMain(m *testing.M) {
	etcdtest.Main()
	goleak.VerifyTestMain(m,
		// etcd's server starts it for its whole process and never ends it.
		goleak.IgnoreTopFunction("go.etcd.io/etcd/server/v3/etcdserver.monitorFileDescriptor"),
	)
}

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

func testNamespace(t testing.TB, name string) naming.Namespace {
	t.Helper()
	ns, err := naming.NewNamespace(name, "")
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

func newDriver(t testing.TB, endpoint string, edit ...func(*Config)) *Driver {
	t.Helper()
	cfg := Config{Namespace: testNamespace(t, "dev"), Endpoints: []string{endpoint}, LeaseTTL: 2 * time.Second, Logger: slog.New(slog.DiscardHandler)}
	for _, e := range edit {
		e(&cfg)
	}
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func claim(service string, n int) naming.Claim {
	return naming.Claim{
		Instance: naming.Instance{Service: service, Addr: fmt.Sprintf("10.0.0.%d:8888", n), ID: fmt.Sprintf("id-%d", n)},
		Status:   naming.Status{State: "waiting", Unfit: true},
	}
}

func join(t testing.TB, d *Driver, c naming.Claim) naming.Membership {
	t.Helper()
	m, err := d.Join(within(t), c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// watched follows a service and hands out each update.
func watched(t testing.TB, d *Driver, service string) <-chan naming.Update {
	ctx, cancel := context.WithCancel(context.Background())
	updates := make(chan naming.Update)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.Watch(ctx, service, func(u naming.Update) {
			select {
			case updates <- u:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return updates
}

// until reads updates until one has these addresses.
func until(t testing.TB, updates <-chan naming.Update, addrs ...string) naming.Update {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	var last naming.Update
	for {
		select {
		case last = <-updates:
			if fmt.Sprint(addrsOf(last)) == fmt.Sprint(append([]string{}, addrs...)) {
				return last
			}
		case <-timeout.C:
			t.Fatalf("no update with %v; the last has %v", addrs, addrsOf(last))
		}
	}
}

func addrsOf(u naming.Update) []string {
	addrs := []string{}
	if u.Snapshot != nil {
		for _, i := range u.Snapshot.Instances {
			addrs = append(addrs, i.Addr)
		}
	}
	return addrs
}

// empty fails unless no lease and no key but the permanent guards are left.
func empty(t testing.TB, cli *clientv3.Client) {
	t.Helper()
	for key := range etcdtest.Keys(t, cli, DefaultRoot+"/") {
		if len(key) < 17 || key[:17] != "muster/dev/.guard" {
			t.Errorf("left behind: %s", key)
		}
	}
	r, err := cli.Leases(within(t))
	must(t, err)
	if len(r.Leases) > 0 {
		t.Errorf("%d leases left behind", len(r.Leases))
	}
}
