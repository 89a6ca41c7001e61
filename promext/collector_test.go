package promext_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
	"github.com/muster-go/muster/promext"
)

// world is a process with a server that is withdrawn and a client that sees the other instance.
type world struct {
	monitor *health.Monitor
	catalog *catalog.Catalog
}

func newWorld(t *testing.T) world {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	quiet := slog.New(slog.DiscardHandler)
	redis := errors.New("refused")
	m, err := health.New(health.Options{Logger: quiet},
		health.Probe{Name: "db", Check: func(context.Context) error { return nil }},
		health.Probe{Name: "redis", Check: func(context.Context) error { return redis }},
		health.Probe{Name: "search", Level: health.Advisory, Check: func(context.Context) error { return nil }})
	must(err)
	t.Cleanup(func() { _ = m.Close() })
	m.Start()

	ns, err := naming.NewNamespace("dev", "")
	must(err)
	reg := namingtest.NewRegistry()
	d := reg.Driver(ns)
	t.Cleanup(func() { _ = d.Close() })
	g, err := gate.New(gate.Options{Registrar: d, Monitor: m, Namespace: ns, Logger: quiet})
	must(err)
	t.Cleanup(func() { _ = g.Close() })
	_, err = g.Register(gate.Spec{Service: "order-svc", Advertise: "10.0.0.1:8881"})
	must(err)

	other := reg.Driver(ns)
	t.Cleanup(func() { _ = other.Close() })
	in, err := naming.Instance{Service: "user-svc", Addr: "10.0.0.2:8882", ID: "two"}.Normalize()
	must(err)
	member, err := other.Join(t.Context(), naming.Claim{Instance: in})
	must(err)
	must(member.Publish(t.Context(), naming.Status{State: "serving"}, false))
	c, err := catalog.New(d, catalog.Options{Logger: quiet})
	must(err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = c.Lookup(t.Context(), "user-svc")
	must(err)
	return world{m, c}
}

func TestCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		seen := time.Now()
		synctest.Wait()
		c := promext.NewCollector(w.monitor, w.catalog)
		if got := seen.Unix(); got != 946684800 { // synctest's time begins with the year 2000
			t.Fatalf("the view was made at %d", got)
		}
		const want = `
# HELP muster_catalog_changed_timestamp_seconds When the view of the service last changed, in Unix time.
# TYPE muster_catalog_changed_timestamp_seconds gauge
muster_catalog_changed_timestamp_seconds{service="user-svc"} 9.466848e+08
# HELP muster_catalog_instances Instances of the service that may be called, suspects included.
# TYPE muster_catalog_instances gauge
muster_catalog_instances{service="user-svc"} 1
# HELP muster_catalog_suspects Instances that are kept though the registry no longer lists them.
# TYPE muster_catalog_suspects gauge
muster_catalog_suspects{service="user-svc"} 0
# HELP muster_health_status 1 for what /healthz sums up.
# TYPE muster_health_status gauge
muster_health_status{status="degraded"} 0
muster_health_status{status="draining"} 0
muster_health_status{status="failing"} 1
muster_health_status{status="ok"} 0
muster_health_status{status="starting"} 0
# HELP muster_probe_failures_total Runs of the probe that failed.
# TYPE muster_probe_failures_total counter
muster_probe_failures_total{probe="db"} 0
muster_probe_failures_total{probe="redis"} 1
muster_probe_failures_total{probe="search"} 0
# HELP muster_registration_state 1 for where the registration stands.
# TYPE muster_registration_state gauge
muster_registration_state{addr="10.0.0.1:8881",group="default",namespace="dev",service="order-svc",state="draining"} 0
muster_registration_state{addr="10.0.0.1:8881",group="default",namespace="dev",service="order-svc",state="gone"} 0
muster_registration_state{addr="10.0.0.1:8881",group="default",namespace="dev",service="order-svc",state="held"} 0
muster_registration_state{addr="10.0.0.1:8881",group="default",namespace="dev",service="order-svc",state="offline"} 0
muster_registration_state{addr="10.0.0.1:8881",group="default",namespace="dev",service="order-svc",state="serving"} 0
muster_registration_state{addr="10.0.0.1:8881",group="default",namespace="dev",service="order-svc",state="waiting"} 1
muster_registration_state{addr="10.0.0.1:8881",group="default",namespace="dev",service="order-svc",state="withdrawn"} 0
# HELP muster_registry_skipped_values_total Values in the registry that were no instances of the namespace.
# TYPE muster_registry_skipped_values_total counter
muster_registry_skipped_values_total 0
# HELP muster_registry_up 1 while the registry answers.
# TYPE muster_registry_up gauge
muster_registry_up 1
`
		if err := testutil.CollectAndCompare(c, strings.NewReader(want),
			"muster_catalog_changed_timestamp_seconds", "muster_catalog_instances", "muster_catalog_suspects", "muster_health_status",
			"muster_probe_failures_total", "muster_registration_state", "muster_registry_skipped_values_total", "muster_registry_up"); err != nil {
			t.Error(err)
		}
		if got := said(t, c); !maps.Equal(got, map[string]string{"db": "ok", "redis": "failing", "search": "ok"}) {
			t.Errorf("the words are %v", got)
		}
		problems, err := testutil.CollectAndLint(c)
		if err != nil || len(problems) > 0 {
			t.Errorf("Prometheus's own lint says %v, %v", problems, err)
		}
	})
}

// said returns the one word that each probe's series say, failing where there are more or fewer.
func said(t *testing.T, c prometheus.Collector) map[string]string {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	words, series := map[string]string{}, 0
	for _, f := range all {
		if f.GetName() != "muster_probe_word" {
			continue
		}
		for _, m := range f.GetMetric() {
			series++
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if m.GetGauge().GetValue() == 1 {
				words[labels["probe"]] += labels["word"]
			}
		}
	}
	if series != 3*8 {
		t.Errorf("%d series for the words of three probes, want 8 each", series)
	}
	return words
}

// TestScrapesWhileClosed: a scrape that comes late still shows what was known last.
func TestScrapesWhileClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_ = w.catalog.Close()
		_ = w.monitor.Close()
		r := prometheus.NewPedanticRegistry()
		if err := r.Register(promext.NewCollector(w.monitor, w.catalog)); err != nil {
			t.Fatal(err)
		}
		if all, err := r.Gather(); err != nil || len(all) == 0 {
			t.Errorf("%d metrics, %v", len(all), err)
		}
	})
}

// TestTwoRegistrations: one process may have an instance in two groups, or in two registries, which give it no names.
func TestTwoRegistrations(t *testing.T) {
	t.Parallel()
	m, err := health.New(health.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range []string{"default", "canary", "canary"} {
		m.Attach(health.Registration{Service: "user-svc", Addr: "10.0.0.1:80", Namespace: "staging", Group: group})
	}
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(promext.NewCollector(m, nil))
	if _, err := r.Gather(); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(r, "muster_registration_state"); n != 2*7 || err != nil {
		t.Errorf("%d series of two registrations in seven states, %v", n, err)
	}
}

// TestHalves: a process that only calls has no monitor, and one that only serves no catalog.
func TestHalves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for name, c := range map[string]prometheus.Collector{
			"muster_registry_up":   promext.NewCollector(nil, w.catalog),
			"muster_health_status": promext.NewCollector(w.monitor, nil),
		} {
			all := testutil.CollectAndCount(c)
			if own := testutil.CollectAndCount(c, name); own == 0 || own == all {
				t.Errorf("%d of %d series are %s", own, all, name)
			}
		}
		if n := testutil.CollectAndCount(promext.NewCollector(nil, nil)); n != 0 {
			t.Errorf("%d series of nothing", n)
		}
	})
}
