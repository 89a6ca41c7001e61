package kitexext_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/registry"
	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
	"github.com/muster-go/muster/kitexext"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

// echoServer is a Kitex handler.
type echoServer struct{}

func (*echoServer) Say(_ context.Context, req *echo.Request) (*echo.Response, error) {
	return &echo.Response{Message: req.Message}, nil
}

// A server that is listed while its probes pass, with a driver in memory. In a program, muster.FromEnv makes the monitor
// and the gate, and a signal ends Run.
func ExampleWithRegistry() {
	ns, _ := naming.NewNamespace("dev", "")
	world := namingtest.NewRegistry()
	driver := world.Driver(ns)
	defer driver.Close()
	monitor, err := health.New(health.Options{}, health.Probe{Name: "db", Check: func(context.Context) error { return nil }})
	if err != nil {
		panic(err)
	}
	monitor.Start()
	defer monitor.Close()
	g, err := gate.New(gate.Options{
		Registrar: driver, Monitor: monitor, Namespace: ns, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	defer g.Close()

	exit := make(chan error, 1)
	svr := echosvc.NewServer(new(echoServer),
		kitexext.WithRegistry(g, kitexext.Service("echo"), kitexext.Tags(map[string]string{"zone": "a"})),
		server.WithServiceAddr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}),
		server.WithExitSignal(func() <-chan error { return exit }),
	)
	ended := make(chan error, 1)
	go func() { ended <- svr.Run() }()

	ctx, cancel := context.WithCancel(context.Background())
	_ = driver.Watch(ctx, "echo", func(u naming.Update) {
		if len(u.Snapshot.Instances) == 1 {
			fmt.Println("listed, with tags", u.Snapshot.Instances[0].Tags)
			cancel()
		}
	})
	exit <- nil
	fmt.Println("Run returns", <-ended)
	fmt.Println(len(world.Serving(ns, "echo")), "listed")
	// Output:
	// listed, with tags map[zone:a]
	// Run returns <nil>
	// 0 listed
}

// A probe that calls the process's own server, so that a deadlocked handler takes it out of the registry.
func ExampleSelfCall() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	cli := echosvc.MustNewClient("echo") // one of its own; no resolver is needed
	self := health.Probe{Name: "rpc", Check: kitexext.SelfCall(ln.Addr(), cli.Say, &echo.Request{Message: "are you there?"})}

	exit := make(chan error, 1)
	svr := echosvc.NewServer(new(echoServer), server.WithListener(ln),
		server.WithExitSignal(func() <-chan error { return exit }))
	ended := make(chan error, 1)
	go func() { ended <- svr.Run() }()

	// As the monitor does that muster.FromEnv(ctx, self, ...) makes.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println("checked:", self.Check(ctx))

	exit <- nil
	fmt.Println("ended:", <-ended)
	// Output:
	// checked: <nil>
	// ended: <nil>
}

// A gate and a catalog over the registry that a program has already. registry-etcd's errs where it lists nobody.
func ExampleWrapRegistry() {
	r := registry.NoopRegistry                                                      // etcd.NewEtcdRegistry(endpoints)
	res := discovery.SynthesizedResolver{NameFunc: func() string { return "etcd" }} // etcd.NewEtcdResolver(endpoints)
	ns, err := naming.NewNamespace("dev", "")
	if err != nil {
		panic(err)
	}
	monitor, err := health.New(health.Options{})
	if err != nil {
		panic(err)
	}
	g, err := gate.New(gate.Options{Registrar: kitexext.WrapRegistry(r), Monitor: monitor, Namespace: ns})
	if err != nil {
		panic(err)
	}
	c, err := catalog.New(kitexext.WrapResolver(res,
		kitexext.PollScope("etcd.example:2379/dev"),
		kitexext.NoInstance(func(err error) bool { return strings.HasPrefix(err.Error(), "no instance remains") }),
	), catalog.Options{})
	if err != nil {
		panic(err)
	}
	defer c.Close()

	_ = echosvc.NewServer(new(echoServer), kitexext.WithRegistry(g, kitexext.Service("echo")))
	_ = echosvc.MustNewClient("echo", kitexext.WithResolver(c))
	fmt.Println(c.Scope())
	// Output: kitex/etcd/etcd.example:2379/dev
}
