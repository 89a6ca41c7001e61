package kitexext_test

import (
	"context"
	"fmt"
	"net"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
	"github.com/muster-go/muster/kitexext"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/loadbalance"
	"github.com/cloudwego/kitex/server"
)

// Parrot answers with what it hears.
type Parrot struct{}

// Say implements the service.
func (*Parrot) Say(_ context.Context, req *echo.Request) (*echo.Response, error) {
	return &echo.Response{Message: req.Message}, nil
}

func ExampleWithResolver() {
	// A registry in memory takes etcd's place here, and a published address a gate's.
	ns, _ := naming.NewNamespace("dev", "")
	driver := namingtest.NewRegistry().Driver(ns)
	defer driver.Close()
	addr, stop := parrot()
	defer stop()
	publish(driver, addr)

	c, err := catalog.New(driver, catalog.Options{Namespace: ns})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	cli := echosvc.MustNewClient("parrot",
		kitexext.WithResolver(c),
		client.WithLoadBalancer(loadbalance.NewInterleavedWeightedRoundRobinBalancer()), // whichever you like
	)
	res, err := cli.Say(context.Background(), &echo.Request{Message: "hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Message)
	// Output: hello
}

func parrot() (addr string, stop func()) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	svr := echosvc.NewServer(new(Parrot), server.WithListener(ln), server.WithExitSignal(func() <-chan error { return nil }))
	ended := make(chan error, 1)
	go func() { ended <- svr.Run() }()
	return ln.Addr().String(), func() {
		_ = svr.Stop()
		<-ended
	}
}

func publish(driver *namingtest.Driver, addr string) {
	i, err := naming.Instance{Service: "parrot", Addr: addr, ID: "1"}.Normalize()
	if err != nil {
		panic(err)
	}
	m, err := driver.Join(context.Background(), naming.Claim{Instance: i})
	if err != nil {
		panic(err)
	}
	if err := m.Publish(context.Background(), naming.Status{State: "serving"}, false); err != nil {
		panic(err)
	}
}
