package gate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

// A server is listed while its database answers, and only then.
func Example() {
	ns, _ := naming.NewNamespace("dev", "")
	driver := namingtest.NewRegistry().Driver(ns) // a real program takes naming/etcd
	defer driver.Close()

	var broken atomic.Bool
	monitor, err := health.New(health.Options{Logger: slog.New(slog.DiscardHandler)}, health.Probe{
		Name: "db", Interval: 10 * time.Millisecond, FailureThreshold: 1,
		Check: func(context.Context) error {
			if broken.Load() {
				return errors.New("connection refused")
			}
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	monitor.Start()
	defer monitor.Close()

	g, err := gate.New(gate.Options{
		Registrar: driver, Monitor: monitor, Namespace: ns, Floor: naming.Percent(50),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()
	r, err := g.Register(gate.Spec{Service: "user-svc", Listen: listener.Addr()})
	if err != nil {
		fmt.Println(err)
		return
	}

	// What a client sees:
	views, ctx := make(chan int), context.Background()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go driver.Watch(watching, "user-svc", func(u naming.Update) {
		select {
		case views <- len(u.Snapshot.Instances):
		case <-watching.Done():
		}
	})
	for n := range views {
		if n == 1 {
			fmt.Println("listed")
			break
		}
	}
	broken.Store(true)
	fmt.Println("broken:", <-views, "instances")
	broken.Store(false)
	fmt.Println("mended:", <-views, "instance")
	if err := r.Deregister(); err != nil {
		fmt.Println(err)
	}
	fmt.Println("deregistered:", <-views, "instances,", r.State())
	// Output:
	// listed
	// broken: 0 instances
	// mended: 1 instance
	// deregistered: 0 instances, gone
}
