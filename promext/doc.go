// Package promext shows Muster to Prometheus.
//
//	prometheus.MustRegister(promext.NewCollector(m.Health, m.Catalog))
//
// A scrape reads what the process knows already: it runs no probe, asks no registry and waits for nothing. What is one of a
// closed set (a probe's word, a registration's state) is one series for each member of the set, of which one is 1 and the
// others are 0, so that an alert needs no label that comes and goes:
//
//	muster_probe_word{probe="redis",level="critical",word="timeout"} 1
//
// # Metrics
//
//	muster_health_status{status}                       1 for what /healthz sums up, else 0
//	muster_probe_word{probe,level,word}                1 for the word that /healthz says of the probe, else 0
//	muster_probe_runs_total{probe}                     runs that have ended, or were given up
//	muster_probe_failures_total{probe}                 those of them that failed
//	muster_probe_latency_seconds{probe}                what the last run took
//	muster_registration_state{namespace,group,service,addr,state}
//	                                                   1 for where the registration stands, else 0; of an instance that one
//	                                                   process has in two registries, in the first of them
//	muster_registry_up                                 1 while the registry answers, else 0; absent before it was asked
//	muster_registry_skipped_values_total               values under the prefix that were no instances of the namespace
//	muster_catalog_instances{service}                  instances that may be called, suspects included
//	muster_catalog_suspects{service}                   those of them that the registry no longer lists
//	muster_catalog_changed_timestamp_seconds{service}  when the view last changed, in Unix time
//
// The package imports neither Kitex, Hertz nor a registry.
package promext
