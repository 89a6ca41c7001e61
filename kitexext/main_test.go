package kitexext

import (
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/cloudwego/kitex/pkg/klog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	klog.SetOutput(io.Discard)
	code := m.Run()
	running.stop()
	if err := goleak.Find(
		// What Kitex and netpoll start once for the process and never stop: pollers, the workers of RPC timeouts, the
		// maker of gRPC streams.
		goleak.IgnoreAnyFunction("github.com/cloudwego/netpoll.(*defaultPoll).Wait"),
		goleak.IgnoreTopFunction("github.com/cloudwego/kitex/client.(*timeoutPool).createTicker.func1"),
		goleak.IgnoreTopFunction("github.com/cloudwego/kitex/client.(*timeoutPool).createWorker.func1"),
		goleak.IgnoreTopFunction("github.com/cloudwego/kitex/pkg/remote/trans/nphttp2/grpc.preallocateForStream"),
		// Kitex's balancer cache has a ticker for each factory, for which it has no stop, and one for all refreshes, which
		// stops half a minute after the last call.
		goleak.IgnoreTopFunction("github.com/cloudwego/kitex/pkg/loadbalance/lbcache.(*BalancerFactory).watcher"),
		goleak.IgnoreTopFunction("github.com/cloudwego/kitex/pkg/utils.(*SharedTicker).Tick"),
	); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
