package rows

import (
	"encoding/json"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

// namespace is dev/default.
func namespace() naming.Namespace {
	ns, err := naming.NewNamespace("dev", "")
	if err != nil {
		panic(err) // a constant
	}
	return ns
}

// servingPrefix is where instances of that namespace are, for registry-etcd.
const servingPrefix = "muster/dev/default"

func newDriver(endpoint string) (*etcd.Driver, error) {
	return etcd.New(etcd.Config{Namespace: namespace(), Endpoints: []string{endpoint}, Logger: rig.Quiet()})
}

func newCatalog(w naming.Watcher) (*catalog.Catalog, error) {
	return catalog.New(w, catalog.Options{FirstWait: 30 * time.Second, Logger: rig.Quiet()})
}

// bareClient is clientv3 with its defaults.
func bareClient(endpoint string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
}

// value is an instance in registry-etcd's format, as Muster writes it, too.
func value(addr string, weight int) string {
	b, _ := json.Marshal(map[string]any{"network": "tcp", "address": addr, "weight": weight, "tags": map[string]string{
		"muster.namespace": "dev", "muster.group": "default", "muster.id": "0123456789abcdef",
	}})
	return string(b)
}

func address(i int) string { return fmt.Sprintf("10.%d.%d.%d:8888", 1+i>>16&0xff, i>>8&0xff, i&0xff) }
