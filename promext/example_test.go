package promext_test

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/promext"
)

func ExampleNewCollector() {
	monitor, err := health.New(health.Options{}, health.Probe{Name: "db", Check: func(context.Context) error { return nil }})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer monitor.Close()
	// A program has promhttp serve the registry; prometheus.MustRegister(...) adds to the default one.
	registry := prometheus.NewRegistry()
	registry.MustRegister(promext.NewCollector(monitor, nil)) // with Muster's facade: m.Health, m.Catalog
	families, err := registry.Gather()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range families {
		if f.GetName() == "muster_health_status" {
			for _, m := range f.GetMetric() {
				fmt.Println(f.GetName(), m.GetLabel()[0].GetValue(), m.GetGauge().GetValue())
			}
		}
	}
	// Output:
	// muster_health_status degraded 0
	// muster_health_status draining 0
	// muster_health_status failing 0
	// muster_health_status ok 0
	// muster_health_status starting 1
}
