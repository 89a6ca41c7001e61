package promext

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/health"
)

// NewCollector returns a collector of what the monitor and the catalog know. Either may be nil. Pass the catalog also
// where the process only serves: muster_registry_up and muster_registry_skipped_values_total come from it. It starts nothing, holds no state of its own, may be used by several registries at once, and
// goes on showing what was known last after either has been closed.
func NewCollector(h *health.Monitor, c *catalog.Catalog) prometheus.Collector {
	var parts group
	if h != nil {
		parts = append(parts, newProcess(h))
	}
	if c != nil {
		parts = append(parts, newView(c))
	}
	return parts
}

// group is several collectors as one.
type group []prometheus.Collector

// Describe implements prometheus.Collector.
func (g group) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range g {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (g group) Collect(ch chan<- prometheus.Metric) {
	for _, c := range g {
		c.Collect(ch)
	}
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func counter(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("muster_"+name, help, labels, nil)
}

// one is 1 for a truth and 0 otherwise, as Prometheus says it.
func one(truth bool) float64 {
	if truth {
		return 1
	}
	return 0
}
