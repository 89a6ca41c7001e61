// Package etcdtest runs real etcd nodes for tests: in this process where the node only has to be there, and as processes of
// their own where one is to be killed, frozen or restarted.
package etcdtest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// readyTimeout bounds the start of a node; it takes about 0.4 s.
const readyTimeout = 30 * time.Second

// Options says how a node is run.
type Options struct {
	// Dir holds the data. Start makes one where it is empty.
	Dir string
	// ClientPort and PeerPort are chosen where they are 0.
	ClientPort, PeerPort int
	// ForceNewCluster lets a node start from the data of another one.
	ForceNewCluster bool
	// Name and Peers make the node a member of a cluster: Peers is each member's name and peer address, name=http://host:port,
	// with commas between. Both empty means a cluster of one.
	Name, Peers string
	// QuotaBytes is how large the data may grow before etcd refuses writes; 0 means its default.
	QuotaBytes int64
	// TokenTTL is how long a user's token lives, in seconds; 0 means etcd's default.
	TokenTTL uint
	// CheapHash keeps the hashing of passwords from dominating a test.
	CheapHash bool
	// Edit changes the server's configuration before it starts.
	Edit func(*embed.Config) `json:"-"`
}

// Run starts a node in this process and waits until it serves. Close the result.
func Run(o Options) (*embed.Etcd, error) {
	cfg := embed.NewConfig()
	cfg.Dir = o.Dir
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	cfg.LogLevel = "error"
	cfg.UnsafeNoFsync = true
	cfg.ForceNewCluster = o.ForceNewCluster
	cfg.QuotaBackendBytes = o.QuotaBytes
	if o.TokenTTL > 0 {
		cfg.AuthTokenTTL = o.TokenTTL
	}
	if o.CheapHash {
		cfg.BcryptCost = 4
	}
	if o.Name != "" {
		cfg.Name = o.Name
	}
	client, peer := localURL(o.ClientPort), localURL(o.PeerPort)
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	if o.Peers != "" {
		cfg.InitialCluster = o.Peers
	}
	if o.Edit != nil {
		o.Edit(cfg)
	}
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, fmt.Errorf("etcdtest: %w", err)
	}
	select {
	case <-e.Server.ReadyNotify():
		return e, nil
	case err := <-e.Err():
		e.Close()
		return nil, fmt.Errorf("etcdtest: %w", err)
	case <-time.After(readyTimeout):
		e.Close()
		return nil, fmt.Errorf("etcdtest: not ready within %v", readyTimeout)
	}
}

// Node is an etcd server in this process. It keeps its port and data over Stop and Start.
type Node struct {
	t    testing.TB
	opts Options
	etcd *embed.Etcd
}

// Start runs a node in this process until the test ends.
func Start(t testing.TB, edit ...func(*embed.Config)) *Node {
	t.Helper()
	ports, err := FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{t: t, opts: Options{Dir: t.TempDir(), ClientPort: ports[0], PeerPort: ports[1]}}
	if len(edit) > 0 {
		n.opts.Edit = edit[0]
	}
	n.Start()
	t.Cleanup(n.Stop)
	return n
}

// Endpoint returns the node's client address, host:port.
func (n *Node) Endpoint() string { return fmt.Sprintf("127.0.0.1:%d", n.opts.ClientPort) }

// Start starts a stopped node with its data.
func (n *Node) Start() {
	n.t.Helper()
	if n.etcd != nil {
		return
	}
	e, err := Run(n.opts)
	if err != nil {
		n.t.Fatal(err)
	}
	n.etcd = e
}

// Stop stops the node; its clients find the connection refused.
func (n *Node) Stop() {
	if n.etcd != nil {
		n.etcd.Close()
		n.etcd = nil
	}
}

// Wipe gives a stopped node an empty data directory.
func (n *Node) Wipe() { n.opts.Dir = n.t.TempDir() }

// Client returns a client of the node's, closed when the test ends.
func (n *Node) Client() *clientv3.Client {
	n.t.Helper()
	return Client(n.t, n.Endpoint())
}

// Client returns a client of the endpoint, closed when the test ends.
func Client(t testing.TB, endpoint string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Keys returns everything below a prefix, by key.
func Keys(t testing.TB, c *clientv3.Client, prefix string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := c.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string, len(r.Kvs))
	for _, kv := range r.Kvs {
		all[string(kv.Key)] = string(kv.Value)
	}
	return all
}

// FreePorts returns ports of loopback that were free a moment ago, all different.
func FreePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // after the last one is known, so that none comes twice
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func localURL(port int) url.URL {
	return url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}
}
