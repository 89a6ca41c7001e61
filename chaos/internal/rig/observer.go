package rig

import (
	"context"
	"sync"
	"time"

	"github.com/cloudwego/kitex/pkg/discovery"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// Keys of etcd, spelt out here once more: the observer shares no code with Muster.
const (
	root      = "muster/"
	Namespace = "chaos"
	group     = "default"
)

// ServingKey is where an instance is listed for traffic, RosterKey where it is said to be alive.
func ServingKey(service, addr string) string {
	return root + Namespace + "/" + group + "/" + service + "/" + addr
}

// RosterKey is where an instance is said to be alive.
func RosterKey(service, addr string) string {
	return root + Namespace + "/.roster/" + group + "/" + service + "/" + addr
}

// Observer looks at etcd past Muster: a raw client, and an unmodified registry-etcd resolver.
type Observer struct {
	endpoints []string
	user      string

	mu       sync.Mutex // guards everything that follows
	cli      *clientv3.Client
	resolver discovery.Resolver
	watching context.CancelFunc
	watched  chan struct{}
	seen     map[string][]sighting // by serving key
	alive    map[string]bool       // the roster's keys
}

func newObserver(endpoints []string) *Observer {
	return &Observer{endpoints: endpoints, seen: map[string][]sighting{}, alive: map[string]bool{}}
}

// RawClient returns a client of etcd's own, which finds an etcd that comes back within a quarter of a second.
func RawClient(endpoints []string, user, password string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: endpoints, Username: user, Password: password, Logger: zap.NewNop(), DialTimeout: 5 * time.Second,
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: 250 * time.Millisecond},
			MinConnectTimeout: time.Second,
		})},
	})
}

// Open connects, or connects anew after etcd's data were replaced, which clientv3's watches don't survive.
func (o *Observer) Open(ctx context.Context) error {
	o.Close()
	cli, err := RawClient(o.endpoints, o.user, o.user)
	if err != nil {
		return err
	}
	if err := o.refresh(); err != nil {
		return err
	}
	r, err := cli.Get(ctx, root, clientv3.WithPrefix())
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	for k := range o.seen {
		o.seen[k] = append(o.seen[k], sighting{at: now, unknown: true})
	}
	clear(o.alive)
	var all []change
	for _, kv := range r.Kvs {
		all = append(all, change{string(kv.Key), string(kv.Value), true})
	}
	o.sight(now, all)
	wctx, cancel := context.WithCancel(context.Background())
	o.cli, o.watching, o.watched = cli, cancel, make(chan struct{})
	go o.watch(wctx, cli, r.Header.Revision+1, o.watched)
	return nil
}

// Close ends the observer's connections.
func (o *Observer) Close() {
	o.mu.Lock()
	cli, cancel, done := o.cli, o.watching, o.watched
	o.cli = nil
	o.mu.Unlock()
	if cli != nil {
		cancel()
		_ = cli.Close()
		<-done
	}
}

// Client is the raw client.
func (o *Observer) Client() *clientv3.Client {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cli
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// As has the observer log in from its next Open on, as a user whose password is its name.
func (o *Observer) As(user string) { o.user = user }
