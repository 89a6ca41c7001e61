package etcd

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// wall installs the roles of dev and prod by the means that a user has, and turns authentication on.
func wall(t *testing.T, endpoint string) {
	t.Helper()
	r, err := OpenRoles(Config{Endpoints: []string{endpoint}})
	must(t, err)
	defer r.Close()
	p, err := r.Plan(within(t), RolesSpec{
		Users:      []RolesUser{{Namespace: "dev", Password: "secret-dev"}, {Namespace: "prod", Password: "secret-prod"}},
		EnableAuth: true, RootPassword: "root",
	})
	must(t, err)
	must(t, r.Apply(within(t), p, nil))
}

// userOf is the credentials that wall has made.
func userOf(name string) func(*Config) {
	return func(c *Config) { c.Username, c.Password = RoleName("", name), "secret-"+name }
}

func inNamespace(t *testing.T, name string) func(*Config) {
	return func(c *Config) { c.Namespace = testNamespace(t, name) }
}

func rawClient(t *testing.T, endpoint, user, password string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint}, Username: user, Password: password, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
	})
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestWallCallByCall tries each call of etcd's API as the user of dev, and without a user, against what is prod's.
func TestWallCallByCall(t *testing.T) {
	t.Parallel()
	ports, err := etcdtest.FreePorts(2)
	must(t, err)
	// In a process of its own: etcd's lock service leaves goroutines behind where it refuses.
	node := etcdtest.NewProcess(etcdtest.Options{Dir: t.TempDir(), ClientPort: ports[0], PeerPort: ports[1], CheapHash: true})
	must(t, node.Start())
	t.Cleanup(node.Kill)
	m, lease := prodBehindAWall(t, node.Endpoint())
	admin := rawClient(t, node.Endpoint(), "root", "root")
	before := etcdtest.Keys(t, admin, prodDir)
	if len(before) != 3 {
		t.Fatalf("prod has %v", before)
	}

	for _, who := range []struct{ name, user, password string }{
		{"dev", "muster-dev", "secret-dev"},
		{"nobody", "", ""},
	} {
		c := rawClient(t, node.Endpoint(), who.user, who.password)
		i := &intruder{c: c, conn: c.ActiveConnection(), lease: lease, self: who.user}
		tried := map[string]bool{}
		for _, call := range wallCalls() {
			tried[call.method] = true
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			err := call.try(ctx, i)
			cancel()
			allowed := call.who == anyone || call.who == anyUser && who.user != ""
			t.Logf("%-7s %-28s %-44s %s", who.name, call.method, call.what, verdict(err))
			if refused(err) == allowed {
				t.Errorf("%s: %s, %s: %v, want it %s", who.name, call.method, call.what, err, map[bool]string{true: "allowed", false: "refused"}[allowed])
			}
		}
		for _, method := range apiMethods() {
			if !tried[method] {
				t.Errorf("%s was not tried", method)
			}
		}
	}

	if after := etcdtest.Keys(t, admin, prodDir); !maps.Equal(before, after) {
		t.Errorf("prod was %v\nand is %v", before, after)
	}
	if m.Err() != nil {
		t.Errorf("prod's instance was put out: %v", m.Err())
	}
	if ttl, err := admin.TimeToLive(within(t), clientv3.LeaseID(lease), clientv3.WithAttachedKeys()); err != nil || len(ttl.Keys) != 2 || ttl.TTL <= 0 {
		t.Errorf("prod's lease: %+v, %v", ttl, err)
	}
}

// prodBehindAWall installs the roles, and serves something in prod.
func prodBehindAWall(t *testing.T, endpoint string) (naming.Membership, int64) {
	t.Helper()
	wall(t, endpoint)
	prod := newDriver(t, endpoint, userOf("prod"), inNamespace(t, "prod"), func(c *Config) { c.LeaseTTL = 30 * time.Second })
	m := join(t, prod, claim("user-svc", 1))
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	kv, err := rawClient(t, endpoint, "root", "root").Get(within(t), prodKey)
	must(t, err)
	return m, kv.Kvs[0].Lease
}

// TestInstalledEtcd tries the same on the etcd that is installed here, which is mostly an older one: what WallHolds says of
// its version must be so.
func TestInstalledEtcd(t *testing.T) {
	t.Parallel()
	endpoint, version := etcdtest.StartInstalled(t)
	_, lease := prodBehindAWall(t, endpoint)
	c := rawClient(t, endpoint, "muster-dev", "secret-dev")
	i := &intruder{c: c, conn: c.ActiveConnection(), lease: lease, self: "muster-dev"}
	holes := map[string]bool{}
	for _, call := range wallCalls() {
		if call.who != owner {
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := call.try(ctx, i)
		cancel()
		if !refused(err) && status.Code(err) != codes.Unimplemented {
			t.Logf("etcd %s: %-28s %-44s %s", version, call.method, call.what, verdict(err))
			holes[call.method+", "+call.what] = true
		}
	}
	if WallHolds(version) && len(holes) > 0 {
		t.Errorf("etcd %s does not hold the wall", version)
	}
	if strings.HasPrefix(version, "3.4.") {
		for _, hole := range []string{"KV/Txn, nested put", "Watch/Watch, from dev on", "Lease/LeaseLeases, all", "Lease/LeaseKeepAlive, prod's"} {
			if !holes[hole] {
				t.Errorf("etcd %s refuses %s: the documents say otherwise", version, hole)
			}
		}
	}
}
