package kitexext

import (
	"errors"
	"testing"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/connpool"
	"github.com/cloudwego/kitex/pkg/kerrors"
	"github.com/cloudwego/kitex/transport"

	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

// From a driver's Publish, Withdraw and Leave to the calls.
func TestPublishWithdrawLeave(t *testing.T) {
	t.Parallel()
	ns, err := naming.NewNamespace("dev", "")
	if err != nil {
		t.Fatal(err)
	}
	reg := namingtest.NewRegistry()
	server, caller := reg.Driver(ns), reg.Driver(ns)
	t.Cleanup(func() { _ = server.Close() })
	t.Cleanup(func() { _ = caller.Close() })
	join := func(name string) naming.Membership {
		i, err := naming.Instance{Service: "echo", Addr: serve(t, name), ID: name}.Normalize()
		if err != nil {
			t.Fatal(err)
		}
		m, err := server.Join(t.Context(), naming.Claim{Instance: i})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Publish(t.Context(), naming.Status{State: "serving"}, false); err != nil {
			t.Fatal(err)
		}
		return m
	}
	a := join("a")
	pushed := newPushes()
	cli := newClient(t, WithResolver(openCatalog(t, caller), pushed.option()))
	expect := func(want string) {
		t.Helper()
		for range 20 {
			if got, err := say(t, cli); err != nil || got != want {
				t.Fatalf("served by %q, %v; want %q", got, err, want)
			}
		}
	}
	expect("a")
	b := join("b")
	pushed.wait(t, 2)
	if out, err := a.Withdraw(t.Context(), naming.Floor{}, naming.Status{State: "withdrawn"}, naming.Status{State: "held"}); err != nil || out != naming.Withdrawn {
		t.Fatalf("%v, %v", out, err)
	}
	pushed.wait(t, 1)
	expect("b")
	if err := b.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	pushed.wait(t, 0)
	if got, err := say(t, cli); !errors.Is(err, kerrors.ErrNoMoreInstance) {
		t.Errorf("nobody serves, and the call got %q, %v", got, err)
	}
	if err := a.Publish(t.Context(), naming.Status{State: "serving"}, true); err != nil {
		t.Fatal(err)
	}
	pushed.wait(t, 1)
	expect("a")
}

// Every transport and pool of Kitex's takes its addresses from the catalog, and has its connections cleaned by a change.
func TestTransports(t *testing.T) {
	a, b := serve(t, "a"), serve(t, "b")
	for name, opt := range map[string]client.Option{
		"grpc":     client.WithTransportProtocol(transport.GRPC),
		"ttheader": client.WithTransportProtocol(transport.TTHeaderFramed),
		"short":    client.WithShortConnection(),
		"long":     client.WithLongConnection(connpool.IdleConfig{MaxIdlePerAddress: 5, MaxIdleGlobal: 5}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld("test")
			w.set("echo", at(a))
			pushed := newPushes()
			cli := newClient(t, opt, WithResolver(openCatalog(t, w), pushed.option()))
			for range 3 {
				for _, step := range []struct{ name, addr string }{{"a", a}, {"b", b}} {
					w.set("echo", at(a), at(b))
					w.set("echo", at(step.addr))
					if got, err := say(t, cli); err != nil {
						t.Fatal(got, err)
					}
					w.set("echo")
					pushed.wait(t, 0)
					w.set("echo", at(step.addr))
					pushed.wait(t, 1)
					if got, err := say(t, cli); err != nil || got != step.name {
						t.Fatalf("served by %q, %v; want %q", got, err, step.name)
					}
				}
			}
		})
	}
}
