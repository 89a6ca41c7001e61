package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	hertzapp "github.com/cloudwego/hertz/pkg/app"
	hertzconfig "github.com/cloudwego/hertz/pkg/common/config"
	"github.com/cloudwego/hertz/pkg/common/ut"
	"github.com/cloudwego/hertz/pkg/route"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/hertzext"
	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/internal/floortest"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

const (
	servingKey = "muster/dev/default/user-svc/10.0.0.1:8888"
	orderKey   = "muster/dev/.operator/default/user-svc/10.0.0.1:8888"
)

// healthz returns /healthz?verbose of an instance.
func healthz(i *floortest.Instance) string {
	h := route.NewEngine(hertzconfig.NewOptions(nil))
	h.Use(hertzext.Healthz(i.Monitor, hertzext.WithAuthorizer(func(context.Context, *hertzapp.RequestContext) bool { return true })))
	r := ut.PerformRequest(h, "GET", "/healthz?verbose", nil).Result()
	return r.Header.Get("X-Health-Status") + " " + string(r.Body())
}

// neverServed fails if the instance was listed for traffic since a revision.
func neverServed(t *testing.T, cli *clientv3.Client, since int64) {
	t.Helper()
	now, err := cli.Get(t.Context(), servingKey)
	if err != nil {
		t.Fatal(err)
	}
	if len(now.Kvs) > 0 {
		t.Errorf("it is listed: %s", now.Kvs[0].Value)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for r := range cli.Watch(ctx, "", clientv3.WithPrefix(), clientv3.WithRev(since+1), clientv3.WithProgressNotify()) {
		for _, e := range r.Events {
			if string(e.Kv.Key) == servingKey && e.Type == clientv3.EventTypePut {
				t.Errorf("it was listed at revision %d: %s", e.Kv.ModRevision, e.Kv.Value)
			}
		}
		if r.Header.Revision >= now.Header.Revision {
			return
		}
	}
}

// revision returns etcd's latest.
func revision(t *testing.T, cli *clientv3.Client) int64 {
	t.Helper()
	r, err := cli.Put(t.Context(), "elsewhere", "x") // so that a watch from here on has something to hear of
	if err != nil {
		t.Fatal(err)
	}
	return r.Header.Revision
}

// TestOfflineWins: over passing probes, over the floor, over a restart of etcd and over a lost lease; and it shows.
func TestOfflineWins(t *testing.T) {
	node := etcdtest.StartProcess(t)
	at(t, node.Endpoint())
	cli := etcdtest.Client(t, node.Endpoint())
	floor := naming.Count(1)
	l := floortest.Keep(t, cli, floortest.NewAudit(etcd.DefaultRoot, floortest.Dev(), "user-svc", floor))
	log := newStream()
	i := floortest.Run(t, floortest.Spec{
		Endpoint: node.Endpoint(), Addr: addr(1), Floor: floor, LeaseTTL: etcd.MinLeaseTTL, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	state(t, l, addr(1), "serving")

	command(t, "offline", "user-svc", addr(1), "--by", "alice").want(t, exitOK, "10.0.0.1:8888 of user-svc in dev/default is offline")
	since := revision(t, cli)
	state(t, l, addr(1), "offline")
	if got := healthz(i); !strings.Contains(got, `"state":"offline"`) || !strings.Contains(got, "offline by alice") || !strings.HasPrefix(got, "draining") {
		t.Errorf("/healthz?verbose says %s", got)
	}
	log.until(t, "registration changed", "from=serving", "to=offline", `cause="offline by alice"`)
	command(t, "ls", "user-svc").want(t, exitOK, "offline by alice")

	i.Dependency.Set(true) // its probes may turn as they like
	l.Wait(t, "the roster says unfit", func(a *floortest.Audit) bool { return a.Members[addr(1)].Unfit })
	i.Dependency.Set(false)
	l.Wait(t, "the roster says fit", func(a *floortest.Audit) bool { return !a.Members[addr(1)].Unfit })

	before := lease(l)
	node.Kill()
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	// Once more a lost lease: the one of before may or may not have outlived the restart.
	if now := lease(l); now == before {
		_, _ = cli.Revoke(t.Context(), clientv3.LeaseID(before))
	}
	l.Wait(t, "joined anew", func(a *floortest.Audit) bool {
		m, ok := a.Members[addr(1)]
		return ok && m.Lease != before && m.State == "offline"
	})
	if i.Reg.State() != health.Offline {
		t.Errorf("the gate says %v", i.Reg.State())
	}
	neverServed(t, cli, since)

	command(t, "online", "user-svc", addr(1)).want(t, exitOK, "is online")
	l.Wait(t, "it serves again", func(a *floortest.Audit) bool { return a.Members[addr(1)].Serving })
	if got := etcdtest.Keys(t, cli, orderKey); len(got) > 0 {
		t.Errorf("the order is left behind: %v", got)
	}
	command(t, "online", "user-svc", addr(1)).want(t, exitOK, "was not offline")
	log.until(t, "registration changed", "from=withdrawn", "to=serving")
}

func lease(l *floortest.Ledger) (id int64) {
	l.Look(func(a *floortest.Audit) { id = a.Members[addr(1)].Lease })
	return id
}

// TestOfflineForAWhile ends by itself, and leaves nothing behind.
func TestOfflineForAWhile(t *testing.T) {
	node := floortest.StartNode(t)
	at(t, node.Endpoint())
	_, l := fleet(t, node, 1, naming.Percent(50))
	cli := node.Client()
	gone := cli.Watch(t.Context(), orderKey)
	command(t, "offline", "user-svc", addr(1), "--for", "1500ms").want(t, exitOK, "is offline until")
	command(t, "ls").want(t, exitOK, " until ")
	l.Wait(t, "it serves again", func(a *floortest.Audit) bool { return a.Members[addr(1)].Serving })
	for r := range gone {
		if r.Events[len(r.Events)-1].Type == clientv3.EventTypeDelete {
			return
		}
	}
	t.Error("the order was not removed")
}

// TestOfflineIsBound: a new process at the address does not inherit the order, which can be removed all the same.
func TestOfflineIsBound(t *testing.T) {
	node := floortest.StartNode(t)
	at(t, node.Endpoint())
	all, l := fleet(t, node, 1, naming.Percent(50))
	command(t, "offline", "user-svc", addr(1)).want(t, exitOK)
	all[0].Close()
	floortest.Run(t, floortest.Spec{Endpoint: node.Endpoint(), Addr: addr(1)})
	l.Wait(t, "the next process serves", func(a *floortest.Audit) bool { return a.Members[addr(1)].Serving })
	if out := command(t, "ls").out; strings.Contains(out, "offline") {
		t.Errorf("the next process is shown as offline:\n%s", out)
	}
	command(t, "online", "user-svc", addr(1)).want(t, exitOK, "is online: serving")
	if got := etcdtest.Keys(t, node.Client(), orderKey); len(got) > 0 {
		t.Errorf("the order is left behind: %v", got)
	}
}

// TestOfflineUnheard: an instance that can't hear is waited for, and the command says that it has not obeyed.
func TestOfflineUnheard(t *testing.T) {
	node := floortest.StartNode(t)
	at(t, node.Endpoint())
	cli := node.Client()
	for key, value := range map[string]string{
		"muster/dev/.roster/default/user-svc/10.0.0.1:8888": `{"id":"deaf","state":"serving"}`,
		servingKey: `{"address":"10.0.0.1:8888","tags":{"muster.id":"deaf"}}`,
	} {
		if _, err := cli.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	command(t, "offline", "user-svc", addr(1), "--timeout", "300ms").want(t, exitFailed, "the order is given", "has not obeyed yet")
	if !strings.Contains(etcdtest.Keys(t, cli, orderKey)[orderKey], `"id":"deaf"`) {
		t.Error("there is no order")
	}
	command(t, "offline", "user-svc", addr(1), "--no-wait").want(t, exitOK, "is ordered offline")
	command(t, "online", "user-svc", addr(1), "--no-wait").want(t, exitOK, "is online")
}
