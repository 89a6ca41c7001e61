package muster_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/internal/etcdtest"
)

func TestMain(m *testing.M) {
	etcdtest.Main()
	goleak.VerifyTestMain(m,
		// etcd's server starts it for its whole process and never ends it.
		goleak.IgnoreTopFunction("go.etcd.io/etcd/server/v3/etcdserver.monitorFileDescriptor"),
		// What Kitex and netpoll start once for the process and never stop.
		goleak.IgnoreAnyFunction("github.com/cloudwego/netpoll.(*defaultPoll).Wait"),
		goleak.IgnoreTopFunction("github.com/cloudwego/kitex/client.(*timeoutPool).createTicker.func1"),
		goleak.IgnoreTopFunction("github.com/cloudwego/kitex/client.(*timeoutPool).createWorker.func1"),
		goleak.IgnoreTopFunction("github.com/cloudwego/kitex/pkg/loadbalance/lbcache.(*BalancerFactory).watcher"),
		goleak.IgnoreTopFunction("github.com/cloudwego/kitex/pkg/utils.(*SharedTicker).Tick"),
	)
}
