package tour

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// root is MUSTER_KEY_ROOT's default.
const root = "muster/"

// change is one event of etcd's, and when the tour saw it.
type change struct {
	key, value string
	deleted    bool
	at         time.Time
}

// registry looks at etcd past Muster: a raw client that watches everything below the root.
type registry struct {
	cli  *clientv3.Client
	done chan struct{}

	mu      sync.Mutex
	changes []change
	news    chan struct{} // closed and replaced at each change
}

func rawClient(addr string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: []string{addr},
		// With gRPC's default of up to two minutes between attempts, the tour would be the last to see etcd return.
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: 250 * time.Millisecond},
			MinConnectTimeout: time.Second,
		})},
	})
}

func watchRegistry(ctx context.Context, addr string) (*registry, error) {
	cli, err := rawClient(addr)
	if err != nil {
		return nil, err
	}
	r := &registry{cli: cli, done: make(chan struct{}), news: make(chan struct{})}
	events := cli.Watch(ctx, root, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	select {
	case <-events: // the watch stands
	case <-time.After(10 * time.Second):
		return nil, fmt.Errorf("etcd at %s does not let itself be watched", addr)
	}
	go func() {
		defer close(r.done)
		for resp := range events {
			r.add(resp)
		}
	}()
	return r, nil
}

func (r *registry) add(resp clientv3.WatchResponse) {
	at := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range resp.Events {
		r.changes = append(r.changes, change{string(e.Kv.Key), string(e.Kv.Value), e.Type == clientv3.EventTypeDelete, at})
	}
	close(r.news)
	r.news = make(chan struct{})
}

// close ends the watch; its context must have ended or end with it.
func (r *registry) close() {
	_ = r.cli.Close()
	<-r.done
}

// mark returns a place among the changes: those that are seen from now on.
func (r *registry) mark() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.changes)
}

// await returns the first change from that place on that matches.
func (r *registry) await(ctx context.Context, from int, what string, match func(change) bool) (change, error) {
	for {
		r.mu.Lock()
		changes, news := r.changes, r.news
		r.mu.Unlock()
		for ; from < len(changes); from++ {
			if match(changes[from]) {
				return changes[from], nil
			}
		}
		select {
		case <-news:
		case <-ctx.Done():
			return change{}, fmt.Errorf("etcd shows no %s: %w", what, context.Cause(ctx))
		}
	}
}

// servingKey is where an instance is listed for traffic.
func servingKey(namespace, service, addr string) string {
	return root + namespace + "/default/" + service + "/" + addr
}

// awaitServing waits until an instance is listed, or is no longer.
func (r *registry) awaitServing(ctx context.Context, from int, key string, listed bool) (change, error) {
	what := "withdrawal of " + key
	if listed {
		what = "publication of " + key
	}
	return r.await(ctx, from, what, func(c change) bool { return c.key == key && c.deleted != listed })
}

// serving lists the keys that are listed for traffic, in all namespaces.
func (r *registry) serving(ctx context.Context) ([]string, error) {
	got, err := r.cli.Get(ctx, root, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, kv := range got.Kvs {
		if k := string(kv.Key); !strings.Contains(k, "/.") { // the roster, the guard and the operator's orders
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// alive counts the roster, in all namespaces.
func (r *registry) alive(ctx context.Context) (n int, err error) {
	got, err := r.cli.Get(ctx, root, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return 0, err
	}
	for _, kv := range got.Kvs {
		if strings.Contains(string(kv.Key), "/.roster/") {
			n++
		}
	}
	return n, nil
}

// leases counts all leases that etcd keeps.
func (r *registry) leases(ctx context.Context) (int, error) {
	got, err := r.cli.Leases(ctx)
	if err != nil {
		return 0, err
	}
	return len(got.Leases), nil
}
