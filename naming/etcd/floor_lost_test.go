package etcd

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// lossy is a way to etcd on which the next transaction that writes is lost: it, or the answer to it; or it is so slow that
// the client has long given up when etcd runs it.
type lossy struct {
	request, answer, slow atomic.Bool
	late                  func() error // runs the slow one
}

func (l *lossy) intercept(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	t, ok := req.(*pb.TxnRequest)
	if !ok || len(t.Compare) == 0 {
		return next(ctx, req)
	}
	lost := status.Error(codes.Unavailable, "lost on the way")
	if l.request.CompareAndSwap(true, false) {
		return nil, lost
	}
	if l.slow.CompareAndSwap(true, false) {
		l.late = func() error { _, err := next(context.WithoutCancel(ctx), req); return err }
		return nil, lost
	}
	r, err := next(ctx, req)
	if l.answer.CompareAndSwap(true, false) {
		return nil, lost
	}
	return r, err
}

// TestLostRequestsAndAnswers: after an error it is not known whether etcd did it. Whatever is true, the next call brings
// about what it is asked for.
func TestLostRequestsAndAnswers(t *testing.T) {
	t.Parallel()
	var l lossy
	node := etcdtest.Start(t, func(c *embed.Config) {
		c.GRPCAdditionalServerOptions = append(c.GRPCAdditionalServerOptions, grpc.ChainUnaryInterceptor(l.intercept))
	})
	cli := node.Client()
	ok, out, held := naming.Status{State: "serving"}, naming.Status{State: "withdrawn", Unfit: true}, naming.Status{State: "held", Unfit: true}
	nothing := func(naming.Membership) error { return nil }
	publish := func(m naming.Membership) error { return m.Publish(within(t), ok, false) }
	withdraw := func(m naming.Membership) error {
		_, err := m.Withdraw(within(t), naming.Floor{}, out, held)
		return err
	}
	hold := func(m naming.Membership) error {
		_, err := m.Withdraw(within(t), naming.Count(1), out, held)
		return err
	}
	degrade := func(m naming.Membership) error { return m.Publish(within(t), held, true) }
	annotate := func(m naming.Membership) error { return m.Annotate(within(t), ok) }
	complain := func(m naming.Membership) error { return m.Annotate(within(t), naming.Status{State: "complaining"}) }
	type step = func(naming.Membership) error
	for _, c := range []struct {
		name        string
		before      step // what went well
		lost, after step
		state       string // the roster's in the end
		serving     string // a part of the serving value; "" for no key
	}{
		{"publish again", annotate, publish, publish, "serving", "10.0.0.1"},
		{"withdraw after the first publication", nothing, publish, withdraw, "withdrawn", ""},
		{"withdraw again", publish, withdraw, withdraw, "withdrawn", ""},
		{"withdraw after a publication", annotate, publish, withdraw, "withdrawn", ""},
		{"publish after a withdrawal", publish, withdraw, publish, "serving", "10.0.0.1"},
		{"hold again", publish, hold, hold, "held", "10.0.0.1"},
		{"degrade after holding", publish, hold, degrade, "held", "degraded"},
		{"hold after a degraded publication", publish, degrade, hold, "held", "degraded"},
		{"degrade again", publish, degrade, degrade, "held", "degraded"},
		{"plain again", degrade, publish, publish, "serving", "10.0.0.1"},
		{"withdraw after a degraded publication", publish, degrade, withdraw, "withdrawn", ""},
		{"back to what was", publish, degrade, publish, "serving", "10.0.0.1"},
		{"annotate, then publish", publish, annotate, publish, "serving", "10.0.0.1"},
		{"annotate, then annotate otherwise", publish, complain, annotate, "serving", "10.0.0.1"},
		{"annotate, then withdraw", publish, complain, withdraw, "withdrawn", ""},
		{"annotate, then hold", publish, complain, hold, "held", "10.0.0.1"},
	} {
		for name, loss := range map[string]*atomic.Bool{"request lost": &l.request, "answer lost": &l.answer, "late": &l.slow} {
			t.Run(c.name+", "+name, func(t *testing.T) {
				m := join(t, newDriver(t, node.Endpoint()), claim("user-svc", 1))
				must(t, c.before(m))
				loss.Store(true)
				if err := c.lost(m); err == nil {
					t.Fatal("nothing was lost")
				}
				must(t, c.after(m))
				if loss == &l.slow {
					must(t, l.late())
				}
				if got := etcdtest.Keys(t, cli, rosterKey)[rosterKey]; !strings.Contains(got, `"state":"`+c.state+`"`) {
					t.Errorf("the roster says %s, want %s", got, c.state)
				}
				got, there := etcdtest.Keys(t, cli, servingKey)[servingKey]
				if there != (c.serving != "") || !strings.Contains(got, c.serving) ||
					c.serving != "degraded" && strings.Contains(got, tagState) {
					t.Errorf("serving value %q, want %q", got, c.serving)
				}
				must(t, m.Leave(within(t)))
				empty(t, cli)
			})
		}
	}
}
