package etcd

import (
	"fmt"
	"os"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// TestRestoredEtcdThatHasGoneFurther: etcd comes back with older data, in which others have written more since than was ever
// seen of the newer ones. Revision and term are above what was known, so that nothing but what is there tells.
func TestRestoredEtcdThatHasGoneFurther(t *testing.T) {
	t.Parallel()
	node := etcdtest.StartProcess(t)
	ttl := func(c *Config) { c.LeaseTTL = 30 * time.Second }
	server := newDriver(t, node.Endpoint(), ttl)
	updates := watched(t, newDriver(t, node.Endpoint()), "user-svc")
	m := join(t, server, claim("user-svc", 1))
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	until(t, updates, "10.0.0.1:8888")

	node.Kill()
	fork := t.TempDir()
	must(t, os.CopyFS(fork, os.DirFS(node.Dir())))
	must(t, node.Start())
	cli := etcdtest.Client(t, node.Endpoint())
	other := join(t, newDriver(t, node.Endpoint()), claim("user-svc", 3))
	must(t, other.Publish(within(t), naming.Status{State: "serving"}, false))
	until(t, updates, "10.0.0.1:8888", "10.0.0.3:8888")
	seen, err := cli.Get(within(t), "x")
	must(t, err)
	node.Kill()

	writeElsewhere(t, fork)
	must(t, os.RemoveAll(node.Dir()))
	must(t, os.CopyFS(node.Dir(), os.DirFS(fork)))
	must(t, node.Start())
	now, err := cli.Get(within(t), "x")
	must(t, err)
	if now.Header.Revision <= seen.Header.Revision || now.Header.RaftTerm < seen.Header.RaftTerm || now.Header.ClusterId != seen.Header.ClusterId {
		t.Fatalf("the headers tell: %v, then %v", seen.Header, now.Header)
	}
	until(t, updates, "10.0.0.1:8888", "10.0.0.2:8888")
	if err := m.Err(); err != nil {
		t.Errorf("the lease was in the older data, and the membership has ended all the same: %v", err)
	}
}

// writeElsewhere takes the first instance away in a copy of etcd's data, and adds a second one.
func writeElsewhere(t *testing.T, dir string) {
	t.Helper()
	node := etcdtest.StartProcess(t, func(o *etcdtest.Options) { o.Dir = dir })
	cli := etcdtest.Client(t, node.Endpoint())
	for _, key := range []string{servingKey, rosterKey} {
		_, err := cli.Delete(within(t), key)
		must(t, err)
	}
	_, err := cli.Put(within(t), "muster/dev/default/user-svc/10.0.0.2:8888", `{"network":"tcp","address":"10.0.0.2:8888","weight":10}`)
	must(t, err)
	for range 50 {
		_, err := cli.Put(within(t), "elsewhere", "x")
		must(t, err)
	}
	node.Kill()
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		was, now *pb.ResponseHeader
		era      bool
	}{
		"first":           {&pb.ResponseHeader{}, &pb.ResponseHeader{Revision: 5, RaftTerm: 2, ClusterId: 7}, false},
		"later":           {&pb.ResponseHeader{Revision: 5, RaftTerm: 2, ClusterId: 7}, &pb.ResponseHeader{Revision: 6, RaftTerm: 3, ClusterId: 7}, false},
		"nothing new":     {&pb.ResponseHeader{Revision: 5, RaftTerm: 2, ClusterId: 7}, &pb.ResponseHeader{Revision: 5, RaftTerm: 2, ClusterId: 7}, false},
		"older":           {&pb.ResponseHeader{Revision: 5, RaftTerm: 2, ClusterId: 7}, &pb.ResponseHeader{Revision: 4, RaftTerm: 3, ClusterId: 7}, true},
		"an earlier term": {&pb.ResponseHeader{Revision: 5, RaftTerm: 2, ClusterId: 7}, &pb.ResponseHeader{Revision: 9, RaftTerm: 1, ClusterId: 7}, true},
		"another cluster": {&pb.ResponseHeader{Revision: 5, RaftTerm: 2, ClusterId: 7}, &pb.ResponseHeader{Revision: 9, RaftTerm: 2, ClusterId: 8}, true},
	} {
		c := newDriver(t, "127.0.0.1:1").conn
		c.judge(tt.was, 0, 0)
		era := c.sight.era()
		c.judge(tt.now, c.sight.rev.Load(), c.sight.term.Load())
		began := false
		select {
		case <-era:
			began = true
		default:
		}
		if got := fmt.Sprint(c.sight.rev.Load(), c.sight.term.Load(), c.sight.cluster.Load()); began != tt.era ||
			got != fmt.Sprint(tt.now.Revision, tt.now.RaftTerm, tt.now.ClusterId) {
			t.Errorf("%s: a new era is %v, and what is known %s", name, began, got)
		}
	}
}

// TestResumesBehindTheLastEvent: a response's header may be ahead of events that are still to come.
func TestResumesBehindTheLastEvent(t *testing.T) {
	t.Parallel()
	s := following{follower: follower{apply: func([]*clientv3.Event) {}}}
	s.reached(5)
	r := clientv3.WatchResponse{
		Header: &pb.ResponseHeader{Revision: 90},
		Events: []*clientv3.Event{{Kv: &mvccpb.KeyValue{ModRevision: 7}}, {Kv: &mvccpb.KeyValue{ModRevision: 8}}},
	}
	must(t, s.take(1, r, true))
	if s.at != [maxKeys]int64{5, 8, 5, 5} || s.rev != 8 {
		t.Errorf("resumes at %v, %d", s.at, s.rev)
	}
}
