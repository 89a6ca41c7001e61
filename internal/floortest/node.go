package floortest

import (
	"context"
	"sync/atomic"
	"testing"

	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"

	"github.com/muster-go/muster/internal/etcdtest"
)

// Node is an etcd that counts the requests that it gets, but for watches and keepalives, and can be told to tamper with
// them.
type Node struct {
	*etcdtest.Node
	requests atomic.Int64
	tamper   atomic.Pointer[grpc.UnaryServerInterceptor]
}

// StartNode runs a node in this process until the test ends.
func StartNode(t testing.TB) *Node {
	t.Helper()
	n := new(Node)
	n.Node = etcdtest.Start(t, func(c *embed.Config) {
		c.GRPCAdditionalServerOptions = append(c.GRPCAdditionalServerOptions, grpc.ChainUnaryInterceptor(n.intercept))
	})
	return n
}

func (n *Node) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	n.requests.Add(1)
	if f := n.tamper.Load(); f != nil {
		return (*f)(ctx, req, info, next)
	}
	return next(ctx, req)
}

// Requests returns how many there have been.
func (n *Node) Requests() int64 { return n.requests.Load() }

// Tamper sets what stands between clients and etcd; nil is nothing.
func (n *Node) Tamper(f grpc.UnaryServerInterceptor) {
	if f == nil {
		n.tamper.Store(nil)
		return
	}
	n.tamper.Store(&f)
}
