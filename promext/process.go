package promext

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-go/muster/health"
)

// process shows a monitor: the probes, and where the process's registrations stand.
type process struct {
	monitor *health.Monitor

	status, word, runs, failures, latency, state *prometheus.Desc
}

func newProcess(m *health.Monitor) *process {
	return &process{
		monitor:  m,
		status:   describe("health_status", "1 for what /healthz sums up.", "status"),
		word:     describe("probe_word", "1 for the word that /healthz says of the probe.", "probe", "level", "word"),
		runs:     describe("probe_runs_total", "Runs of the probe that have ended, or were given up.", "probe"),
		failures: describe("probe_failures_total", "Runs of the probe that failed.", "probe"),
		latency:  describe("probe_latency_seconds", "What the probe's last run took.", "probe"),
		state:    describe("registration_state", "1 for where the registration stands.", "namespace", "group", "service", "addr", "state"),
	}
}

// words are all that can be said of a probe.
func words() []health.Word {
	return []health.Word{
		health.WordOK, health.WordDegraded, health.WordFailing, health.WordTimeout, health.WordPanic, health.WordStale,
		health.WordUnknown, health.WordDisabled,
	}
}

// Describe implements prometheus.Collector.
func (p *process) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.status, p.word, p.runs, p.failures, p.latency, p.state} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (p *process) Collect(ch chan<- prometheus.Metric) {
	r := p.monitor.Report()
	for s := health.StatusOK; s <= health.StatusDraining; s++ {
		ch <- gauge(p.status, one(s == r.Status), s.String())
	}
	for i := range r.Probes {
		probe := &r.Probes[i]
		for _, w := range words() {
			ch <- gauge(p.word, one(w == probe.Word), probe.Name, probe.Level.String(), string(w))
		}
		ch <- counter(p.runs, float64(probe.Runs), probe.Name)
		ch <- counter(p.failures, float64(probe.Failures), probe.Name)
		ch <- gauge(p.latency, probe.Latency.Seconds(), probe.Name)
	}
	type key struct{ namespace, group, service, addr string }
	seen := map[key]bool{} // one instance in two registries is two registrations, and no scrape takes one series twice
	for i := range r.Registrations {
		reg := &r.Registrations[i]
		k := key{reg.Namespace, reg.Group, reg.Service, reg.Addr}
		if seen[k] {
			continue
		}
		seen[k] = true
		for s := health.Waiting; s <= health.Gone; s++ {
			ch <- gauge(p.state, one(s == reg.State), k.namespace, k.group, k.service, k.addr, s.String())
		}
	}
}
