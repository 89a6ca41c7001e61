// Package rpc holds what the demo's Kitex clients and servers have in common.
package rpc

import (
	"net"
	"os"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/connpool"

	"github.com/muster-go/muster/demo/kitex_gen/user"
)

// The Kitex names that the services register and look up.
const (
	UserService  = "user-svc"
	OrderService = "order-svc"
)

// ClientOptions are for every client of the demo, beside Muster's resolver. There is no retry among them: that no call
// fails while instances come and go is Muster's to keep, and a retry would hide where it does not. A connection that is
// refused is no failed call, since Kitex picks another instance for it by itself.
func ClientOptions() []client.Option {
	return []client.Option{
		client.WithRPCTimeout(2 * time.Second),
		client.WithConnectTimeout(500 * time.Millisecond),
		client.WithLongConnection(connpool.IdleConfig{MaxIdlePerAddress: 32, MaxIdleTimeout: time.Minute}),
	}
}

// Self says on each answer which process gave it.
type Self struct{ service, instance string }

// NewSelf returns the name of the process that listens for RPC on addr.
func NewSelf(service string, addr net.Addr) Self {
	instance := addr.String()
	if host, port, err := net.SplitHostPort(instance); err == nil && net.ParseIP(host).IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			instance = net.JoinHostPort(name, port)
		}
	}
	return Self{service, instance}
}

// String returns the instance's name.
func (s Self) String() string { return s.instance }

// Hop returns the mark of a request that begins now.
func (s Self) Hop() *user.Hop {
	return &user.Hop{Service: s.service, Instance: s.instance, BeganUs: time.Now().UnixMicro()}
}
