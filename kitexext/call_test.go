package kitexext

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/client/callopt"
	"github.com/cloudwego/kitex/pkg/circuitbreak"
	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/event"
	"github.com/cloudwego/kitex/pkg/kerrors"
	"github.com/cloudwego/kitex/pkg/loadbalance"
	"github.com/cloudwego/kitex/pkg/loadbalance/lbcache"
	"github.com/cloudwego/kitex/pkg/retry"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
	"github.com/cloudwego/kitex/pkg/utils"
	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
	"github.com/muster-go/muster/naming"
)

type echoServer struct{ name string }

func (s *echoServer) Say(_ context.Context, req *echo.Request) (*echo.Response, error) {
	return &echo.Response{Message: req.Message, ServedBy: s.name}, nil
}

// servers stop when all tests are over: netpoll closes a listener's descriptor twice, and the second time it may be a
// connection of another test.
type servers struct {
	mu    sync.Mutex
	stops []func()
}

var running servers

func (s *servers) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.stops {
		f()
	}
}

// serve starts an echo server and returns its address.
func serve(t testing.TB, name string) string {
	t.Helper()
	return serveAs(t, &echoServer{name})
}

func serveAs(t testing.TB, handler echo.Echo) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	svr := echosvc.NewServer(handler, server.WithListener(ln), server.WithExitSignal(func() <-chan error { return nil }))
	ended := make(chan error, 1)
	go func() { ended <- svr.Run() }()
	running.mu.Lock()
	defer running.mu.Unlock()
	running.stops = append(running.stops, func() {
		_ = svr.Stop()
		<-ended
	})
	return ln.Addr().String()
}

func say(t testing.TB, cli echosvc.Client, opts ...callopt.Option) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	res, err := cli.Say(ctx, &echo.Request{Message: "hello"}, opts...)
	if err != nil {
		return "", err
	}
	return res.ServedBy, nil
}

// newClient returns a client of the service "echo" with the options, whose Close the test's end calls.
func newClient(t testing.TB, opts ...client.Option) echosvc.Client {
	t.Helper()
	cli, closeIt := newClosable(t, opts...)
	t.Cleanup(closeIt)
	return cli
}

// newClosable returns a client and what its Close does, which the generated client hides.
func newClosable(t testing.TB, opts ...client.Option) (echosvc.Client, func()) {
	t.Helper()
	var options *client.Options
	// Kitex's default of 50 ms to connect is little on a busy machine.
	opts = append([]client.Option{client.WithConnectTimeout(5 * time.Second)}, opts...)
	opts = append(opts, client.Option{F: func(o *client.Options, _ *utils.Slice) { options = o }})
	cli, err := echosvc.NewClient("echo", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return cli, func() {
		defer runtime.KeepAlive(cli) // Kitex closes a client that nobody holds
		all := options.CloseCallbacks
		if options.CBSuite != nil {
			all = append(all, options.CBSuite.Close)
		}
		for _, f := range all {
			if err := f(); err != nil {
				t.Error(err)
			}
		}
	}
}

// pushes is an OnPush that a test can wait on.
type pushes struct{ ch chan Push }

func newPushes() *pushes { return &pushes{ch: make(chan Push, 10000)} }

func (p *pushes) option() ResolverOption { return OnPush(func(e Push) { p.ch <- e }) }

// wait returns the first push that brings n instances.
func (p *pushes) wait(t testing.TB, n int) Push {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case e := <-p.ch:
			if e.Instances == n {
				return e
			}
		case <-deadline:
			t.Fatalf("no push brought %d instances", n)
		}
	}
}

// balancers is every balancer that Kitex ships, and two of a user's own.
func balancers() map[string]func() loadbalance.Loadbalancer {
	return map[string]func() loadbalance.Loadbalancer{
		"default":                func() loadbalance.Loadbalancer { return nil },
		"weighted round robin":   loadbalance.NewWeightedRoundRobinBalancer,
		"interleaved":            loadbalance.NewInterleavedWeightedRoundRobinBalancer,
		"weighted random":        loadbalance.NewWeightedRandomBalancer,
		"alias":                  loadbalance.NewWeightedRandomWithAliasMethodBalancer,
		"consistent hash":        func() loadbalance.Loadbalancer { return loadbalance.NewConsistBalancer(hashOption()) },
		"own, no cache":          func() loadbalance.Loadbalancer { return plain{} },
		"own, deaf to rebalance": func() loadbalance.Loadbalancer { return &deaf{inner: loadbalance.NewWeightedBalancer()} },
	}
}

type hashKey struct{}

func hashOption() loadbalance.ConsistentHashOption {
	o := loadbalance.NewConsistentHashOption(func(ctx context.Context, _ any) string {
		if k, ok := ctx.Value(hashKey{}).(string); ok {
			return k
		}
		return "constant"
	})
	o.VirtualFactor = 2
	return o
}

// plain is a balancer that makes a picker for each call and can't be shared among calls.
type plain struct{}

func (plain) Name() string { return "plain" }

func (plain) GetPicker(res discovery.Result) loadbalance.Picker {
	return &plainPicker{left: res.Instances}
}

type plainPicker struct{ left []discovery.Instance }

func (p *plainPicker) Next(context.Context, any) discovery.Instance {
	if len(p.left) == 0 {
		return nil
	}
	i := p.left[0]
	p.left = p.left[1:] // a data race, if two calls had it
	return i
}

// deaf caches its pickers and hears of no change.
type deaf struct {
	inner loadbalance.Loadbalancer
	cache sync.Map
}

func (d *deaf) Name() string { return "deaf" }

func (d *deaf) GetPicker(res discovery.Result) loadbalance.Picker {
	if p, ok := d.cache.Load(res.CacheKey); ok {
		return p.(loadbalance.Picker)
	}
	p, _ := d.cache.LoadOrStore(res.CacheKey, d.inner.GetPicker(discovery.Result{Instances: res.Instances}))
	return p.(loadbalance.Picker)
}

// A change reaches the calls of each balancer, wherever WithResolver stands among the options, with no help of Kitex's
// ticks, and Kitex's change events come with it.
func TestCallsFollowTheCatalog(t *testing.T) {
	a, b := serve(t, "a"), serve(t, "b")
	for name, lb := range balancers() {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/first=%v", name, first), func(t *testing.T) {
				t.Parallel()
				w := newWorld("test")
				c := openCatalog(t, w)
				w.set("echo", at(a))
				pushed := newPushes()
				removed := make(chan string, 10)
				user := []client.Option{
					client.WithLoadBalancer(lb(), &lbcache.Options{RefreshInterval: time.Hour, ExpireInterval: time.Hour}),
					client.WithFailureRetry(retry.NewFailurePolicy()),
					client.WithCircuitBreaker(circuitbreak.NewCBSuite(circuitbreak.RPCInfo2Key)),
					{F: func(o *client.Options, _ *utils.Slice) {
						o.Bus.Watch(discovery.ChangeEventName, func(e *event.Event) {
							for _, i := range e.Extra.(*discovery.Change).Removed {
								removed <- i.Address().String()
							}
						})
					}},
				}
				var cli echosvc.Client
				if own := WithResolver(c, pushed.option()); first {
					cli = newClient(t, append([]client.Option{own}, user...)...)
				} else {
					cli = newClient(t, append(user, own)...)
				}
				expect := func(want string) {
					t.Helper()
					for range 20 {
						if got, err := say(t, cli); err != nil || got != want {
							t.Fatalf("served by %q, %v; want %q", got, err, want)
						}
					}
				}
				expect("a")
				w.set("echo", at(a), at(b))
				pushed.wait(t, 2)
				w.set("echo", at(b))
				pushed.wait(t, 1)
				expect("b")
				select {
				case gone := <-removed:
					if gone != a {
						t.Errorf("event of %s, want %s", gone, a)
					}
				case <-time.After(10 * time.Second):
					t.Error("no change event")
				}
				w.set("echo")
				pushed.wait(t, 0)
				if got, err := say(t, cli); !errors.Is(err, kerrors.ErrNoMoreInstance) {
					t.Errorf("nobody is left, and the call got %q, %v", got, err)
				}
				w.set("echo", at(a))
				pushed.wait(t, 1)
				expect("a")
			})
		}
	}
}

// Two namespaces in one process, with clients of the same service and the same balancers, never mix.
func TestTwoNamespacesNeverMix(t *testing.T) {
	t.Parallel()
	dev, prod := newWorld("etcd://one/dev/default"), newWorld("etcd://one/prod/default")
	dev.set("echo", at(serve(t, "dev")))
	prod.set("echo", at(serve(t, "prod")))
	devClient := newClient(t, WithResolver(openCatalog(t, dev)))
	prodClient := newClient(t, WithResolver(openCatalog(t, prod)))
	calls := 5000 // to each
	if raceEnabled {
		calls = 1000
	}
	for n := range calls {
		for want, cli := range map[string]echosvc.Client{"dev": devClient, "prod": prodClient} {
			if got, err := say(t, cli); err != nil || got != want {
				t.Fatalf("call %d: served by %q, %v; want %q", n, got, err, want)
			}
		}
	}
}

// A catalog that is opened again for the same scope does not get what Kitex keeps of the first.
func TestAScopeThatIsOpenedAgain(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"one", "two"} {
		w := newWorld("same")
		w.set("echo", at(serve(t, name)))
		c := openCatalog(t, w)
		cli := newClient(t, WithResolver(c))
		if got, err := say(t, cli); err != nil || got != name {
			t.Fatalf("served by %q, %v; want %q", got, err, name)
		}
		_ = c.Close()
		if got, err := say(t, cli); err != nil || got != name {
			t.Errorf("after the catalog's Close: served by %q, %v; want %q", got, err, name)
		}
	}
}

// One client calls several services.
func TestServicesOfOneClient(t *testing.T) {
	t.Parallel()
	w := newWorld("test")
	w.set("echo", at(serve(t, "echo")))
	w.set("other", at(serve(t, "other")))
	cli := newClient(t, WithResolver(openCatalog(t, w)), client.WithMiddleware(toOther))
	for range 50 {
		if got, err := say(t, cli); err != nil || got != "echo" {
			t.Fatalf("%q, %v", got, err)
		}
		if got, err := say(t, cli, callopt.WithTag("to", "other")); err != nil || got != "other" {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

func TestOptionsThatWin(t *testing.T) {
	t.Parallel()
	w := newWorld("test")
	w.set("echo", at(serve(t, "catalog")))
	c := openCatalog(t, w)
	fixed := serve(t, "fixed")
	// WithHostPorts after WithResolver replaces it, as it replaces any resolver.
	if got, err := say(t, newClient(t, WithResolver(c), client.WithHostPorts(fixed))); err != nil || got != "fixed" {
		t.Errorf("WithHostPorts after: %q, %v", got, err)
	}
	if got, err := say(t, newClient(t, client.WithHostPorts(fixed), WithResolver(c))); err != nil || got != "catalog" {
		t.Errorf("WithHostPorts before: %q, %v", got, err)
	}
	if got, err := say(t, newClient(t, WithResolver(c)), callopt.WithHostPort(fixed)); err != nil || got != "fixed" {
		t.Errorf("callopt.WithHostPort: %q, %v", got, err)
	}
	other := newWorld("other")
	other.set("echo", at(serve(t, "other")))
	if got, err := say(t, newClient(t, WithResolver(c), WithResolver(c), WithResolver(openCatalog(t, other)))); err != nil || got != "other" {
		t.Errorf("WithResolver thrice: %q, %v", got, err)
	}
	if got, err := say(t, newClient(t, client.WithSuite(suite{WithResolver(c)}), client.WithLoadBalancer(plain{}))); err != nil || got != "catalog" {
		t.Errorf("in a suite: %q, %v", got, err)
	}
}

type suite []client.Option

func (s suite) Options() []client.Option { return s }

func TestTagsReachTheCall(t *testing.T) {
	t.Parallel()
	w := newWorld("test")
	i := at(serve(t, "a"))
	i.Tags, i.Degraded = map[string]string{"zone": "z1"}, true
	w.set("echo", i)
	seen := make(chan [2]string, 1)
	cli := newClient(t, WithResolver(openCatalog(t, w)), client.WithInstanceMW(func(next endpointT) endpointT {
		return func(ctx context.Context, req, resp any) error {
			to := rpcinfo.GetRPCInfo(ctx).To()
			zone, _ := to.Tag("zone")
			degraded, _ := to.Tag(TagDegraded)
			seen <- [2]string{zone, degraded}
			return next(ctx, req, resp)
		}
	}))
	if _, err := say(t, cli); err != nil {
		t.Fatal(err)
	}
	if got := <-seen; got != [2]string{"z1", "true"} {
		t.Errorf("tags %q", got)
	}
}

var _ naming.Watcher = (*world)(nil)
