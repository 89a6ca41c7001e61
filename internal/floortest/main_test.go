package floortest

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	Main()
	goleak.VerifyTestMain(m,
		// etcd's server starts it for its whole process and never ends it.
		goleak.IgnoreTopFunction("go.etcd.io/etcd/server/v3/etcdserver.monitorFileDescriptor"),
	)
}
