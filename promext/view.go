package promext

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-go/muster/catalog"
)

// view shows a catalog: the registry as this process sees it, and the services that it calls.
type view struct {
	catalog *catalog.Catalog

	up, skipped, instances, suspects, changed *prometheus.Desc
}

func newView(c *catalog.Catalog) *view {
	return &view{
		catalog:   c,
		up:        describe("registry_up", "1 while the registry answers."),
		skipped:   describe("registry_skipped_values_total", "Values in the registry that were no instances of the namespace."),
		instances: describe("catalog_instances", "Instances of the service that may be called, suspects included.", "service"),
		suspects:  describe("catalog_suspects", "Instances that are kept though the registry no longer lists them.", "service"),
		changed:   describe("catalog_changed_timestamp_seconds", "When the view of the service last changed, in Unix time.", "service"),
	}
}

// Describe implements prometheus.Collector.
func (v *view) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{v.up, v.skipped, v.instances, v.suspects, v.changed} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (v *view) Collect(ch chan<- prometheus.Metric) {
	link := v.catalog.Link()
	if !link.Since.IsZero() {
		ch <- gauge(v.up, one(link.Up))
	}
	ch <- counter(v.skipped, float64(link.Skipped))
	for _, s := range v.catalog.Views() {
		ch <- gauge(v.instances, float64(len(s.Instances)), s.Service)
		ch <- gauge(v.suspects, float64(len(s.Suspects)), s.Service)
		ch <- gauge(v.changed, float64(s.Made.UnixNano())/1e9, s.Service)
	}
}
