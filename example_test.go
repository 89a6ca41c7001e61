package muster_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/kitexext"
)

// The environment says where etcd is and which namespace this is; the program says what it depends on.
func ExampleFromEnv() {
	endpoint, stop, err := startEtcd()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	for name, value := range map[string]string{"MUSTER_ETCD_ENDPOINTS": endpoint, "MUSTER_DRAIN_DELAY": "10ms"} {
		defer os.Unsetenv(name)
		if err := os.Setenv(name, value); err != nil {
			fmt.Println(err)
			return
		}
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m, err := muster.FromEnv(ctx, health.Probe{
		Name:  "db",
		Check: func(context.Context) error { return nil }, // a real one is health.SQL(db)
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	fmt.Println("in", m.Namespace())

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	exit, ended := make(chan error), make(chan error)
	svr := echosvc.NewServer(&impl{}, server.WithListener(listener), server.WithExitSignal(func() <-chan error { return exit }),
		kitexext.WithRegistry(m.Gate, kitexext.Service("echo")))
	go func() { ended <- svr.Run() }()

	report, changed := m.Health.Observe()
	for len(report.Registrations) == 0 || report.Registrations[0].State != health.Serving {
		select {
		case <-changed:
			report, changed = m.Health.Observe()
		case <-ctx.Done():
			fmt.Println(ctx.Err())
			return
		}
	}
	cli, err := echosvc.NewClient("echo", kitexext.WithResolver(m.Catalog))
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := cli.Say(ctx, &echo.Request{Message: "hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Message)

	close(exit) // as SIGTERM would
	fmt.Println("ended:", <-ended)
	// Output:
	// in dev/default
	// hello
	// ended: <nil>
}

// startEtcd runs an etcd in this process, since an example can't ask for one.
func startEtcd() (endpoint string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "muster-example-")
	if err != nil {
		return "", nil, err
	}
	ports, err := etcdtest.FreePorts(2)
	if err != nil {
		return "", nil, err
	}
	node, err := etcdtest.Run(etcdtest.Options{Dir: dir, ClientPort: ports[0], PeerPort: ports[1]})
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0]), func() { node.Close(); _ = os.RemoveAll(dir) }, nil
}
