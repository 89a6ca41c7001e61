package floortest

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"

	"github.com/muster-go/muster/internal/etcdtest"
)

// Node is an etcd that counts the requests that it gets, but for watches and keepalives, and can be told to tamper with
// them.
type Node struct {
	*etcdtest.Node
	requests atomic.Int64
	slowest  atomic.Int64 // request since Slowest was last called, in nanoseconds
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
	defer func(began time.Time) {
		took := int64(time.Since(began))
		for old := n.slowest.Load(); took > old && !n.slowest.CompareAndSwap(old, took); old = n.slowest.Load() {
		}
	}(time.Now())
	if f := n.tamper.Load(); f != nil {
		return (*f)(ctx, req, info, next)
	}
	return next(ctx, req)
}

// Requests returns how many there have been.
func (n *Node) Requests() int64 { return n.requests.Load() }

// Slowest returns how long etcd took for the slowest request since it was last called.
func (n *Node) Slowest() time.Duration { return time.Duration(n.slowest.Swap(0)) }

// Tamper sets what stands between clients and etcd; nil is nothing.
func (n *Node) Tamper(f grpc.UnaryServerInterceptor) {
	if f == nil {
		n.tamper.Store(nil)
		return
	}
	n.tamper.Store(&f)
}
