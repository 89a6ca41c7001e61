package interop

import (
	"context"
	"testing"

	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/kitexext"
)

// An unmodified registry-etcd client, with Muster's prefix, resolves Muster's instances and calls them, and sees them leave.
func TestAnUnmodifiedClientCallsMuster(t *testing.T) {
	node := etcdtest.StartProcess(t)
	var db dependency
	m := process(t, node.Endpoint(), db.probe())
	s := serve(t, "muster", kitexext.WithRegistry(m.Gate, kitexext.Service(service), kitexext.Weight(7),
		kitexext.Tags(map[string]string{"zone": "a"})))
	keyed(t, node, prefix+"/"+service+"/"+s.addr, true)

	_, res := unmodified(t, node.Endpoint(), prefix)
	got, err := res.Resolve(t.Context(), service)
	if err != nil || len(got.Instances) != 1 {
		t.Fatalf("%v, %v", got.Instances, err)
	}
	i := got.Instances[0]
	zone, _ := i.Tag("zone")
	if i.Address().String() != s.addr || i.Address().Network() != "tcp" || i.Weight() != 7 || zone != "a" {
		t.Errorf("%v %d %q, want %s", i.Address(), i.Weight(), zone, s.addr)
	}
	cli := plainClient(t, res)
	calledBy(t, cli, "muster")

	db.broken.Store(true)
	keyed(t, node, prefix+"/"+service+"/"+s.addr, false)
	if _, err := res.Resolve(t.Context(), service); err == nil {
		t.Error("an unfit instance is resolved")
	}
	db.broken.Store(false)
	keyed(t, node, prefix+"/"+service+"/"+s.addr, true)
	calledBy(t, cli, "muster")
	s.stop()
	if _, err := res.Resolve(t.Context(), service); err == nil {
		t.Error("an instance that has left is resolved")
	}
}

// A Muster client calls the instances of an unmodified registry-etcd server, with Muster's prefix, and drops them.
func TestMusterCallsAnUnmodifiedServer(t *testing.T) {
	node := etcdtest.StartProcess(t)
	reg, _ := unmodified(t, node.Endpoint(), prefix)
	s := serve(t, "unmodified", named(), server.WithRegistry(reg))
	m := process(t, node.Endpoint())
	cli := musterClient(t, m.Catalog)
	calledBy(t, cli, "unmodified")
	v, err := m.Catalog.Lookup(t.Context(), service)
	if err != nil || len(v.Instances) != 1 || v.Instances[0].Addr != s.addr || v.Instances[0].ID != "" {
		t.Errorf("%+v, %v", v, err)
	}
	s.stop()
	calledByNobody(t, cli)
}

// Both kinds of server, of one service and in one process, are called by both kinds of client: a team can migrate one
// instance at a time.
func TestSideBySide(t *testing.T) {
	node := etcdtest.StartProcess(t)
	var db dependency
	m := process(t, node.Endpoint(), db.probe())
	reg, res := unmodified(t, node.Endpoint(), prefix)
	old := serve(t, "unmodified", named(), server.WithRegistry(reg))
	young := serve(t, "muster", named(), kitexext.WithRegistry(m.Gate))
	for name, cli := range map[string]echosvc.Client{"plain": plainClient(t, res), "muster": musterClient(t, m.Catalog)} {
		t.Run(name, func(t *testing.T) { calledBy(t, cli, "unmodified", "muster") })
	}
	// A probe takes out the gated one alone.
	db.broken.Store(true)
	keyed(t, node, prefix+"/"+service+"/"+young.addr, false)
	keyed(t, node, prefix+"/"+service+"/"+old.addr, true)
	for range 20 {
		if by, err := say(musterClient(t, m.Catalog)); err != nil || by != "unmodified" {
			t.Fatalf("%q, %v", by, err)
		}
	}
	db.broken.Store(false)
	keyed(t, node, prefix+"/"+service+"/"+young.addr, true)
	old.stop()
	calledBy(t, musterClient(t, m.Catalog), "muster")
}

// The servers of two registries in one process stop together.
func TestTwoRegistriesInOneProcess(t *testing.T) {
	node := etcdtest.StartProcess(t)
	m := process(t, node.Endpoint())
	reg, res := unmodified(t, node.Endpoint(), "kitex/registry-etcd")
	serve(t, "unmodified", named(), server.WithRegistry(reg))
	serve(t, "muster", named(), kitexext.WithRegistry(m.Gate))
	calledBy(t, plainClient(t, res), "unmodified")
	calledBy(t, musterClient(t, m.Catalog), "muster")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range 20 { // each finds its own alone
		if r, err := plainClient(t, res).Say(ctx, &echo.Request{}); err != nil || r.ServedBy != "unmodified" {
			t.Fatalf("%v, %v", r, err)
		}
		if r, err := musterClient(t, m.Catalog).Say(ctx, &echo.Request{}); err != nil || r.ServedBy != "muster" {
			t.Fatalf("%v, %v", r, err)
		}
	}
}
