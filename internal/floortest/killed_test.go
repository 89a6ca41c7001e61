package floortest

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// withdrawing returns the address of the instance that would withdraw by a request, or "" where it is something else.
func withdrawing(req any) string {
	txn, ok := req.(*pb.TxnRequest)
	if !ok || len(txn.Success) < 2 { // a leave's announcement writes no roster entry
		return ""
	}
	for i, op := range txn.Success {
		p := op.GetRequestPut()
		if p == nil || !strings.Contains(string(p.Value), `"leaving"`) {
			continue
		}
		if q := txn.Success[(i+1)%len(txn.Success)].GetRequestPut(); q != nil && strings.Contains(string(q.Key), "/.roster/") {
			return string(p.Key[bytes.LastIndexByte(p.Key, '/')+1:])
		}
	}
	return ""
}

// TestContenderKilled: a process that dies between its read and its transaction holds nobody up, neither while its lease
// lives nor after.
func TestContenderKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, half(), nil)
	const ttl = 3 * time.Second
	child := StartChild(t, Spec{Endpoint: w.Endpoint(), Addr: addr(3), Floor: half(), LeaseTTL: ttl})
	w.wait(t, "all serve", 4, serves)

	reached, killed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.Tamper(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if withdrawing(req) != addr(3) {
			return next(ctx, req)
		}
		once.Do(func() { close(reached) })
		select {
		case <-killed:
		case <-time.After(patience):
		}
		return nil, context.Canceled // it never came to etcd
	})
	child.Break(t)
	select {
	case <-reached:
	case <-time.After(patience):
		t.Fatal("the child has not tried to withdraw")
	}
	child.Kill()
	close(killed)
	w.Tamper(nil)

	w.all[0].Dependency.Set(true)
	w.all[1].Dependency.Set(true)
	began := time.Now()
	// The dead one is still listed, as nobody can know better yet.
	w.waitEach(t, "two are out", out, out, serves, func(m Member) bool { return m.Serving })
	t.Logf("two withdrew within %v, while the dead one's lease lived", time.Since(began))
	w.waitEach(t, "the dead one's lease has run out", out, out, serves)
	w.all[2].Dependency.Set(true)
	w.waitEach(t, "all serve degraded", degraded, degraded, degraded)
	for _, i := range w.all {
		i.Dependency.Set(false)
	}
	w.wait(t, "all serve", 3, serves)
	w.judge(t)
}
