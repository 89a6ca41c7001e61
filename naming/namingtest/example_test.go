package namingtest_test

import (
	"context"
	"fmt"

	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

// Two processes share a registry; one of them loses its lease.
func ExampleRegistry() {
	ns, _ := naming.NewNamespace("dev", "")
	world := namingtest.NewRegistry()
	server, client := world.Driver(ns), world.Driver(ns)
	defer server.Close()
	defer client.Close()

	in, _ := naming.Instance{Service: "user-svc", Addr: "10.0.0.1:8888", ID: "one"}.Normalize()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m, err := server.Join(ctx, naming.Claim{Instance: in})
	if err == nil {
		err = m.Publish(ctx, naming.Status{State: "serving"}, false)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = client.Watch(ctx, "user-svc", func(u naming.Update) {
		fmt.Println(len(u.Snapshot.Instances), "serving, left:", u.Left)
		if len(u.Snapshot.Instances) == 0 {
			cancel()
			return
		}
		world.ExpireLease(server)
	})
	fmt.Println(m.Err())
	// Output:
	// 1 serving, left: []
	// 0 serving, left: []
	// naming: lease lost: expired
}
