package etcd_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

// An instance joins, which nobody sees, is published, and leaves. A gate does all that by itself.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	endpoint, stop, err := startEtcd() // a real program has one
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	ns, err := naming.NewNamespace("dev", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	driver, err := etcd.New(etcd.Config{Namespace: ns, Endpoints: []string{endpoint}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer driver.Close()

	// What a client sees:
	views, watching := make(chan int), make(chan struct{})
	defer func() { cancel(); <-watching }()
	go func() {
		defer close(watching)
		_ = driver.Watch(ctx, "user-svc", func(u naming.Update) {
			select {
			case views <- len(u.Snapshot.Instances):
			case <-ctx.Done():
			}
		})
	}()
	fmt.Println("at first:", <-views)

	m, err := driver.Join(ctx, naming.Claim{
		Instance: naming.Instance{Service: "user-svc", Addr: "10.0.0.1:8888", ID: "a"},
		Status:   naming.Status{State: "waiting", Started: time.Now()},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Publish(ctx, naming.Status{State: "serving"}, false); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("published:", <-views)
	if err := m.Leave(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("left:", <-views)
	// Output:
	// at first: 0
	// published: 1
	// left: 0
}

// startEtcd runs an etcd in this process.
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
