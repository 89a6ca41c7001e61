package interop

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/loadbalance"
	"github.com/cloudwego/kitex/pkg/loadbalance/lbcache"
	"github.com/cloudwego/kitex/pkg/registry"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
	"github.com/cloudwego/kitex/server"
	"github.com/cloudwego/netpoll"
	etcdregistry "github.com/kitex-contrib/registry-etcd"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

const (
	// service is what every server here is registered as.
	service = "echo-svc"
	// prefix is where an unmodified registry-etcd finds what Muster registers in namespace dev.
	prefix = "muster/dev/default"
	// patience bounds each wait for something that has to happen.
	patience = 30 * time.Second
)

// dependency is what a probe looks at.
type dependency struct{ broken atomic.Bool }

func (d *dependency) probe() health.Probe {
	return health.Probe{
		Name: "db", Interval: 50 * time.Millisecond, FailureThreshold: 1,
		Check: func(context.Context) error {
			if d.broken.Load() {
				return errors.New("broken")
			}
			return nil
		},
	}
}

// process wires Muster as a program would, on a real etcd.
func process(tb testing.TB, endpoint string, probes ...health.Probe) *muster.Muster {
	tb.Helper()
	m, err := muster.New(tb.Context(), muster.Config{
		Namespace: namespace(tb), Etcd: etcd.Config{Endpoints: []string{endpoint}, LeaseTTL: 2 * time.Second},
		DrainDelay: 100 * time.Millisecond, Floor: naming.Percent(50), Logger: quiet(),
	}, probes...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = m.Close() })
	return m
}

func namespace(tb testing.TB) naming.Namespace {
	tb.Helper()
	ns, err := naming.NewNamespace("dev", "")
	if err != nil {
		tb.Fatal(err)
	}
	return ns
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// unmodified returns registry-etcd's registry and resolver below a prefix. Their clients can't be closed.
func unmodified(tb testing.TB, endpoint, prefix string) (registry.Registry, discovery.Resolver) {
	tb.Helper()
	at := etcdregistry.WithEtcdServicePrefix(prefix)
	reg, err := etcdregistry.NewEtcdRegistry([]string{endpoint}, at)
	if err != nil {
		tb.Fatal(err)
	}
	res, err := etcdregistry.NewEtcdResolver([]string{endpoint}, at)
	if err != nil {
		tb.Fatal(err)
	}
	return reg, res
}

// named gives a server the name that registry-etcd registers it under.
func named() server.Option {
	return server.WithServerBasicInfo(&rpcinfo.EndpointBasicInfo{ServiceName: service})
}

// echoServer says who it is.
type echoServer struct{ name string }

func (s *echoServer) Say(_ context.Context, req *echo.Request) (*echo.Response, error) {
	return &echo.Response{Message: req.Message, ServedBy: s.name}, nil
}

// running is a Kitex server that runs.
type running struct {
	addr  string
	exit  chan error
	ended chan error
	stop  func()
}

// serve runs a server of that name.
func serve(tb testing.TB, name string, opts ...server.Option) *running {
	tb.Helper()
	ln, err := netpoll.CreateListener("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	r := &running{addr: ln.Addr().String(), exit: make(chan error, 1), ended: make(chan error, 1)}
	svr := echosvc.NewServer(&echoServer{name}, append([]server.Option{
		server.WithListener(&listenerOnce{Listener: ln}), server.WithExitWaitTime(10 * time.Millisecond),
		server.WithExitSignal(func() <-chan error { return r.exit }),
	}, opts...)...)
	go func() { r.ended <- svr.Run() }()
	r.stop = sync.OnceFunc(func() {
		r.exit <- nil
		if err := <-r.ended; err != nil {
			tb.Errorf("Run of %s: %v", name, err)
		}
	})
	tb.Cleanup(r.stop)
	return r
}

// listenerOnce keeps its descriptor until the process ends. One of netpoll's closes it several times, once more 100 ms after
// the first time, and by then it may be somebody else's.
type listenerOnce struct {
	netpoll.Listener
	closed atomic.Bool
}

func (l *listenerOnce) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	return syscall.Shutdown(l.Fd(), syscall.SHUT_RDWR)
}

// clients counts the plain ones.
var clients atomic.Int64

// plainClient is a Kitex client with registry-etcd's resolver and nothing of Muster's.
func plainClient(tb testing.TB, r discovery.Resolver) echosvc.Client {
	tb.Helper()
	// Kitex shares balancers by the resolver's name, which is "etcd" always: without a cache of its own this client would
	// get the instances of the first one in this process.
	// It also makes all clients of one interval wait for each other's resolvers, and those of an etcd that is gone by now
	// never return: so this client's interval is its own, too.
	own := client.WithLoadBalancer(loadbalance.NewWeightedRandomBalancer(), &lbcache.Options{
		Cacheable: false, RefreshInterval: 50*time.Millisecond + time.Duration(clients.Add(1)), ExpireInterval: time.Minute,
	})
	return echosvc.MustNewClient(service, client.WithResolver(r), own)
}

func say(cli echosvc.Client) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	res, err := cli.Say(ctx, &echo.Request{Message: "hello"})
	if err != nil {
		return "", err
	}
	return res.ServedBy, nil
}

// calledBy calls until each of these has answered, and nobody else has.
func calledBy(tb testing.TB, cli echosvc.Client, want ...string) {
	tb.Helper()
	missing := map[string]bool{}
	for _, w := range want {
		missing[w] = true
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	var last error
	for len(missing) > 0 {
		by, err := say(cli)
		if last = err; err == nil {
			if !strings.Contains(" "+strings.Join(want, " ")+" ", " "+by+" ") {
				tb.Fatalf("%s answered, want %q", by, want)
			}
			delete(missing, by)
		}
		select {
		case <-tick.C:
		case <-limit:
			tb.Fatalf("never called: %v; the last call: %v", missing, last)
		}
	}
}

// calledByNobody calls until no call finds an instance.
func calledByNobody(tb testing.TB, cli echosvc.Client) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for {
		by, err := say(cli)
		if err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			tb.Fatalf("%s still answers", by)
		}
	}
}

// keyed waits until a key is there, or is not, and returns its value.
func keyed(tb testing.TB, node *etcdtest.Process, key string, there bool) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	cli := etcdtest.Client(tb, node.Endpoint())
	first, err := cli.Get(ctx, key)
	if err != nil {
		tb.Fatal(err)
	}
	if (len(first.Kvs) > 0) == there {
		if !there {
			return ""
		}
		return string(first.Kvs[0].Value)
	}
	for r := range cli.Watch(ctx, key, clientv3.WithRev(first.Header.Revision+1)) {
		for _, e := range r.Events {
			if (e.Type == clientv3.EventTypePut) == there {
				return string(e.Kv.Value)
			}
		}
	}
	tb.Fatalf("the key %s: want there=%v", key, there)
	return ""
}
