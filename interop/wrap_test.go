package interop

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/health"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/kitexext"
	"github.com/muster-go/muster/naming"
)

// registryEtcdsPrefix is what registry-etcd itself registers under.
const registryEtcdsPrefix = "kitex/registry-etcd"

func musterClient(tb testing.TB, c *catalog.Catalog) echosvc.Client {
	tb.Helper()
	return echosvc.MustNewClient(service, kitexext.WithResolver(c))
}

// gated is a gate over an unmodified registry-etcd, and the monitor of its probe.
func gated(tb testing.TB, endpoint string, db *dependency) (*gate.Gate, *health.Monitor) {
	tb.Helper()
	reg, _ := unmodified(tb, endpoint, registryEtcdsPrefix)
	m, err := health.New(health.Options{Logger: quiet()}, db.probe())
	if err != nil {
		tb.Fatal(err)
	}
	d := kitexext.WrapRegistry(reg, kitexext.Logger(quiet()))
	g, err := gate.New(gate.Options{
		Registrar: d, Monitor: m, Namespace: namespace(tb), Floor: naming.Percent(50), DrainDelay: 100 * time.Millisecond,
		Logger: quiet(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	m.Start()
	tb.Cleanup(func() { _, _, _ = g.Close(), m.Close(), d.Close() })
	return g, m
}

// stands waits until the one registration is in that state.
func stands(tb testing.TB, m *health.Monitor, want health.Lifecycle) {
	tb.Helper()
	limit := time.After(patience)
	for {
		report, changed := m.Observe()
		if r := report.Registrations; len(r) == 1 && r[0].State == want {
			return
		}
		select {
		case <-changed:
		case <-limit:
			tb.Fatalf("registrations %+v, want one that is %v", report.Registrations, want)
		}
	}
}

// wrapped is a catalog over an unmodified registry-etcd.
func wrapped(tb testing.TB, endpoint string) *catalog.Catalog {
	tb.Helper()
	_, res := unmodified(tb, endpoint, registryEtcdsPrefix)
	w := kitexext.WrapResolver(res, kitexext.Logger(quiet()), kitexext.PollInterval(50*time.Millisecond),
		kitexext.NoInstance(func(err error) bool { return strings.HasPrefix(err.Error(), "no instance remains") }))
	// An unmodified registry announces no leave, so that the last one to withdraw would be kept as a suspect.
	c, err := catalog.New(w, catalog.Options{NoSuspects: true, Logger: quiet()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _, _ = c.Close(), w.Close() })
	return c
}

// An unmodified registry-etcd under the gate, and under the catalog: a failing probe takes the instance out, a passing one
// brings it back, a stop drains it.
func TestRegistryEtcdUnderTheGate(t *testing.T) {
	node := etcdtest.StartProcess(t)
	var db dependency
	db.broken.Store(true)
	g, m := gated(t, node.Endpoint(), &db)
	s := serve(t, "gated", kitexext.WithRegistry(g, kitexext.Service(service)))
	key := registryEtcdsPrefix + "/" + service + "/" + s.addr
	stands(t, m, health.Waiting) // Kitex has registered it
	// One that starts now without a gate, elsewhere, is listed; this one is not.
	reg, _ := unmodified(t, node.Endpoint(), "elsewhere")
	other := serve(t, "other", named(), server.WithRegistry(reg))
	keyed(t, node, "elsewhere/"+service+"/"+other.addr, true)
	keyed(t, node, key, false)
	stands(t, m, health.Waiting)
	db.broken.Store(false)
	keyed(t, node, key, true)

	cli := musterClient(t, wrapped(t, node.Endpoint()))
	_, res := unmodified(t, node.Endpoint(), registryEtcdsPrefix)
	plain := plainClient(t, res)
	calledBy(t, cli, "gated")
	calledBy(t, plain, "gated")
	for range 3 {
		db.broken.Store(true)
		keyed(t, node, key, false)
		calledByNobody(t, cli)
		db.broken.Store(false)
		keyed(t, node, key, true)
		calledBy(t, cli, "gated")
		calledBy(t, plain, "gated")
	}
	s.stop()
	keyed(t, node, key, false)
	calledByNobody(t, cli)
}

// With etcd away, an unmodified server with registry-etcd ends after some seconds. Under the gate it serves, is registered
// when etcd answers, keeps its clients through an outage, and stops in time during one.
func TestRegistryEtcdUnderTheGateInAnOutage(t *testing.T) {
	node := etcdtest.StartProcess(t)
	node.Kill()
	var db dependency
	g, _ := gated(t, node.Endpoint(), &db)
	s := serve(t, "gated", kitexext.WithRegistry(g, kitexext.Service(service)))
	cli := musterClient(t, wrapped(t, node.Endpoint()))
	if by, err := say(cli); err == nil {
		t.Errorf("%s was found without a registry", by)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	calledBy(t, cli, "gated")

	node.Kill()
	calledBy(t, cli, "gated")
	begin := time.Now()
	s.stop()
	if took := time.Since(begin); took > 100*time.Millisecond+3*time.Second+500*time.Millisecond { // and the server's own stop
		t.Errorf("stopped after %v", took)
	}
}
