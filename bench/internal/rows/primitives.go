package rows

import (
	"time"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/health"
)

// Primitives measures what is read at each call and each health check.
func Primitives(e *rig.Env, row *report.Row) error {
	row.What = "catalog.Lookup of a service of two instances, read from a real etcd, and health.Monitor.Report of two probes, each called " +
		"from one goroutine. What a state transition of a probe and of a gate costs is not to be had from outside: go test -bench Next ./health ./gate."
	node, err := e.Etcd()
	if err != nil {
		return err
	}
	if err := fill(e, node, 1); err != nil {
		return err
	}
	d, err := newDriver(node.Endpoint())
	if err != nil {
		return err
	}
	defer d.Close()
	c, err := newCatalog(d)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Lookup(bg, "svc-000"); err != nil {
		return err
	}
	m, err := health.New(health.Options{Logger: rig.Quiet()}, health.Probe{Name: "db", Interval: time.Hour, Check: well}, health.Probe{Name: "redis", Interval: time.Hour, Check: well})
	if err != nil {
		return err
	}
	defer m.Close()
	m.Start()
	if err := verdicts(m); err != nil {
		return err
	}
	for range e.Reps(12, 2) {
		for name, call := range map[string]func(){
			"Lookup": func() { _, _ = c.Lookup(bg, "svc-000") },
			"Report": func() { _ = m.Report() },
		} {
			ns, allocs := timeCalls(call, e.Reps(1_000_000, 1000))
			row.Add(name, "time", musterSide, report.Nanoseconds, ns)
			row.Add(name, "allocations", musterSide, report.Count, allocs)
		}
	}
	for _, name := range []string{"Lookup", "Report"} {
		row.AtMost(name, "allocations", musterSide, "p50", 0)
	}
	return nil
}
