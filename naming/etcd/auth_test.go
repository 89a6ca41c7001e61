package etcd

import (
	"context"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// startAuth runs a node with authentication, and a user for each namespace. It is a process of its own: etcd's server crashes
// where it is closed while it still looks up what a watch's user may do, and in this process that would be the tests' end.
func startAuth(t *testing.T, tune func(*etcdtest.Options), namespaces ...string) *etcdtest.Process {
	t.Helper()
	node := startWalled(t, tune)
	withAuth(t, node.Endpoint(), namespaces...)
	return node
}

func asItIs(*etcdtest.Options) {}

// startWalled runs a node that will have authentication, in a process of its own for the same reason.
func startWalled(t *testing.T, tune ...func(*etcdtest.Options)) *etcdtest.Process {
	t.Helper()
	return etcdtest.StartProcess(t, append(tune, func(o *etcdtest.Options) { o.CheapHash = true })...)
}

// withAuth turns authentication on, with a user for each namespace that may do everything below its prefix and nothing else.
func withAuth(t *testing.T, endpoint string, namespaces ...string) {
	t.Helper()
	cli, ctx := etcdtest.Client(t, endpoint), within(t)
	for _, name := range namespaces {
		p := prefix(DefaultRoot, testNamespace(t, name))
		_, err := cli.RoleAdd(ctx, name)
		must(t, err)
		_, err = cli.RoleGrantPermission(ctx, name, p, clientv3.GetPrefixRangeEnd(p), clientv3.PermissionType(clientv3.PermReadWrite))
		must(t, err)
		_, err = cli.UserAdd(ctx, name, "secret-"+name)
		must(t, err)
		_, err = cli.UserGrantRole(ctx, name, name)
		must(t, err)
	}
	_, err := cli.UserAdd(ctx, "root", "root")
	must(t, err)
	_, err = cli.UserGrantRole(ctx, "root", "root")
	must(t, err)
	_, err = cli.AuthEnable(ctx)
	must(t, err)
}

// cheapHash keeps password hashing from dominating a run under the race detector.
func cheapHash(c *embed.Config) { c.BcryptCost = 4 }

func asUser(name string) func(*Config) {
	return func(c *Config) { c.Username, c.Password = name, "secret-"+name }
}

// TestRoleOfOnePrefixIsEnough: everything that a driver does stays below its namespace's prefix.
func TestRoleOfOnePrefixIsEnough(t *testing.T) {
	t.Parallel()
	node := startAuth(t, asItIs, "dev", "prod")
	d := newDriver(t, node.Endpoint(), asUser("dev"))
	updates := watched(t, newDriver(t, node.Endpoint(), asUser("dev")), "user-svc")
	m := join(t, d, claim("user-svc", 1))
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	until(t, updates, "10.0.0.1:8888")
	if got := withdraw(t, m, naming.Percent(50)); got != naming.Withdrawn {
		t.Errorf("withdraw: %v", got)
	}
	until(t, updates)
	must(t, m.Leave(within(t)))
}

// TestWrongNamespacesUserSeesNothing: the roles are the wall, whatever namespace a process claims to be in.
func TestWrongNamespacesUserSeesNothing(t *testing.T) {
	t.Parallel()
	node := startAuth(t, asItIs, "dev", "prod")
	d := newDriver(t, node.Endpoint(), asUser("dev"), func(c *Config) { c.Namespace = testNamespace(t, "prod") })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := d.Join(ctx, claim("user-svc", 1)); err == nil {
		t.Error("a dev user joined prod")
	}
	if err := d.Watch(ctx, "user-svc", func(u naming.Update) { t.Errorf("a dev user sees %v of prod", u) }); err == nil {
		t.Error("Watch returned nil")
	}
}

func TestWrongPasswordKeepsTryingAndSaysSo(t *testing.T) {
	t.Parallel()
	node := startAuth(t, asItIs, "dev")
	d := newDriver(t, node.Endpoint(), func(c *Config) { c.Username, c.Password = "dev", "wrong" })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := d.Join(ctx, claim("user-svc", 1)); err == nil {
		t.Error("joined with a wrong password")
	}
	if l := d.Link(); l.Up || l.Err == nil {
		t.Errorf("Link = %+v, want the reason", l)
	}
}

// TestExpiredToken: once a simple token has run out, an open watch stream lives on but refuses each new watch. A service
// that is looked up only then must be seen all the same, and the registration must live.
func TestExpiredToken(t *testing.T) {
	t.Parallel()
	node := startAuth(t, func(o *etcdtest.Options) { o.TokenTTL = 1 }, "dev")
	d := newDriver(t, node.Endpoint(), asUser("dev"))
	m := join(t, d, claim("user-svc", 1))
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	early := watched(t, d, "user-svc")
	until(t, early, "10.0.0.1:8888")

	expire(t, node)
	late := watched(t, d, "order-svc")
	until(t, late)
	other := join(t, d, claim("order-svc", 2))
	must(t, other.Publish(within(t), naming.Status{State: "serving"}, false))
	until(t, late, "10.0.0.2:8888")
	must(t, m.Leave(within(t)))
	until(t, early)
	must(t, other.Leave(within(t)))
}

// expire waits until a token of the node's has expired, seen by a stream of its own that refuses a new watch.
func expire(t *testing.T, node *etcdtest.Process) {
	t.Helper()
	cli, err := clientv3.New(clientv3.Config{
		Endpoints: []string{node.Endpoint()}, Username: "dev", Password: "secret-dev", Logger: zap.NewNop(),
	})
	must(t, err)
	defer cli.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	opened := cli.Watch(ctx, "muster/dev/a", clientv3.WithCreatedNotify())
	<-opened
	again := time.NewTicker(3 * time.Second) // each use lets a token live on
	defer again.Stop()
	for {
		wctx, stop := context.WithCancel(ctx)
		r := <-cli.Watch(wctx, "muster/dev/b", clientv3.WithCreatedNotify())
		stop()
		if r.Err() != nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("the token does not expire")
		}
	}
}
