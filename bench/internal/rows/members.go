package rows

import (
	"context"
	"fmt"
	"time"

	"github.com/cloudwego/kitex/pkg/registry"
	etcdregistry "github.com/kitex-contrib/registry-etcd"
	"github.com/kitex-contrib/registry-etcd/retry"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
)

const (
	membersEach  = 50
	peerObserves = 5 * time.Second
	peerRetries  = time.Second
)

// memberOrder tells a child what to register.
type memberOrder struct {
	Side, Endpoint string
	Process, Count int
}

// members is a process that registers many services.
func members() rig.Ops {
	return rig.Ops{"register": rig.Op(register)}
}

func register(o memberOrder) (int, error) {
	service := func(i int) string { return fmt.Sprintf("svc-%02d", i) }
	addr := fmt.Sprintf("10.0.1.%d:%d", 1+o.Process, 9000)
	if o.Side == peer {
		for i := range o.Count {
			r, err := peerRegistry(o.Endpoint)
			if err != nil {
				return 0, err
			}
			if err := r.Register(info(service(i), addr)); err != nil {
				return 0, err
			}
		}
		return o.Count, nil
	}
	m, err := health.New(health.Options{Logger: rig.Quiet()})
	if err != nil {
		return 0, err
	}
	m.Start()
	d, err := newDriver(o.Endpoint)
	if err != nil {
		return 0, err
	}
	g, err := gate.New(gate.Options{Registrar: d, Monitor: m, Namespace: namespace(), Floor: naming.Percent(50), Logger: rig.Quiet()})
	if err != nil {
		return 0, err
	}
	for i := range o.Count {
		if _, err := g.Register(gate.Spec{Service: service(i), Advertise: addr}); err != nil {
			return 0, err
		}
	}
	return o.Count, nil
}

// peerRegistry is one registry for each registration, since it keeps the state of one.
func peerRegistry(endpoint string) (registry.Registry, error) {
	return etcdregistry.NewEtcdRegistryWithRetry([]string{endpoint},
		&retry.Config{MaxAttemptTimes: 0, ObserveDelay: peerObserves, RetryDelay: peerRetries},
		etcdregistry.WithEtcdServicePrefix(servingPrefix))
}

// Members measures what many registrations ask of etcd, and how they come back after a wipe.
func Members(e *rig.Env, row *report.Row) error {
	row.What = fmt.Sprintf("Processes that register %d services each, on one etcd; 5 of them, then 20, which makes 1,000 registrations. "+
		"The lease is 10 s for both sides. When all are listed, etcd's counters are read over 10 s, once. Then, twice, etcd is killed, its data "+
		"thrown away, and after 3 s it is started empty: the clock runs from the moment it serves until all 1,000 are listed, and every 100 ms "+
		"the requests are counted. One side after the other: n is 1 or 2, so that a small difference says nothing.", membersEach)
	row.Peers = append(row.Peers, fmt.Sprintf("registry-etcd v0.3.0: a registry for each registration, since one keeps the state of a single one; "+
		"KITEX_ETCD_REGISTRY_LEASE_TTL=10 (60 by default), and for the wipe retry.Config with tries without end, a look at the own key every %v and a pause of %v "+
		"after a failure. By default it looks every 30 s and gives up after 5 failures: a sixth of the reads, and up to 30 s until it notices.", peerObserves, peerRetries))
	steps := []int{5, 20}
	if e.Smoke {
		steps = []int{1, 2}
	}
	for _, side := range []string{musterSide, peer} {
		if err := membersOf(e, row, side, steps); err != nil {
			return fmt.Errorf("%s: %w", side, err)
		}
	}
	most := membersCase(steps[1])
	for _, f := range []string{keepaliveFigure, requestFigure, etcdCPUFigure} {
		row.Compare(most, f, musterSide, peer, "p50").Draw("1,000 registrations: " + f + ", beside registry-etcd")
	}
	row.Compare(most, wipeFigure, musterSide, peer, "p50").Draw("1,000 registrations: listed again after a wipe, beside registry-etcd")
	row.AtMost(most, wipeFigure, musterSide, "max", float64(3*time.Second))
	extrapolate(row, steps)
	return nil
}

const (
	keepaliveFigure = "keepalives per second"
	requestFigure   = "requests per second"
	etcdCPUFigure   = "CPU of etcd per second"
	etcdMemFigure   = "memory of etcd"
	listedFigure    = "first registration: until all are listed"
	wipeFigure      = "etcd empty again: until all are listed"
	peakFigure      = "etcd empty again: most requests in 100 ms, per second"
	totalFigure     = "etcd empty again: requests until all are listed"
)

func membersCase(processes int) string {
	return fmt.Sprintf("%d registrations of %d processes", processes*membersEach, processes)
}

func membersOf(e *rig.Env, row *report.Row, side string, steps []int) error {
	node, err := e.Etcd()
	if err != nil {
		return err
	}
	defer node.Kill()
	cli, err := bareClient(node.Endpoint())
	if err != nil {
		return err
	}
	defer cli.Close()
	var all []*rig.Child
	defer func() {
		for _, c := range all {
			c.Kill()
		}
	}()
	window := 10 * time.Second
	if e.Smoke {
		window = time.Second
	}
	for _, processes := range steps {
		c := membersCase(processes)
		e.Log("%s: %s", side, c)
		began := time.Now()
		for len(all) < processes {
			child, err := e.Start("members", "KITEX_ETCD_REGISTRY_LEASE_TTL=10")
			if err != nil {
				return err
			}
			all = append(all, child)
			if err := child.Ask("register", memberOrder{side, node.Endpoint(), len(all), membersEach}, nil); err != nil {
				return err
			}
		}
		if _, err := listed(e, cli, node, processes*membersEach, patience, nil); err != nil {
			return err
		}
		row.Add(c, listedFigure, side, report.Nanoseconds, float64(time.Since(began)))
		if !e.Smoke {
			time.Sleep(2 * time.Second)
		}
		before, err := node.Metrics()
		if err != nil {
			return err
		}
		start := time.Now()
		time.Sleep(window)
		after, err := node.Metrics()
		if err != nil {
			return err
		}
		secs := time.Since(start).Seconds()
		row.Add(c, keepaliveFigure, side, report.PerSecond, (after.Received("LeaseKeepAlive")-before.Received("LeaseKeepAlive"))/secs)
		row.Add(c, requestFigure, side, report.PerSecond, (after.Requests()-before.Requests())/secs)
		row.Add(c, etcdCPUFigure, side, report.Nanoseconds, (after.CPU()-before.CPU())*1e9/secs)
		row.Add(c, etcdMemFigure, side, report.Bytes, after.Memory())
	}
	for range e.Reps(2, 1) {
		if err := wiped(e, row, side, cli, node, steps[len(steps)-1]); err != nil {
			return err
		}
	}
	return nil
}

func wiped(e *rig.Env, row *report.Row, side string, cli *clientv3.Client, node *rig.Node, processes int) error {
	e.Log("%s: etcd is wiped", side)
	c := membersCase(processes)
	node.Kill()
	if err := node.Wipe(); err != nil {
		return err
	}
	time.Sleep(3 * time.Second)
	if err := node.Restart(); err != nil {
		return err
	}
	back := time.Now()
	// A client that was there before the outage waits before it connects again, which is not what is measured.
	fresh, err := bareClient(node.Endpoint())
	if err != nil {
		return err
	}
	defer fresh.Close()
	var rates []float64
	total, err := listed(e, fresh, node, processes*membersEach, 90*time.Second, &rates)
	if err != nil {
		return err
	}
	row.Add(c, wipeFigure, side, report.Nanoseconds, float64(time.Since(back)))
	row.Add(c, totalFigure, side, report.Count, total)
	peak := 0.0
	for _, r := range rates {
		peak = max(peak, r)
	}
	row.Add(c, peakFigure, side, report.PerSecond, peak)
	return nil
}

// listed waits until n instances are listed, and returns how many requests were made since the node started. The rates are
// those of each 100 ms; what this makes itself is taken off.
func listed(e *rig.Env, cli *clientv3.Client, node *rig.Node, n int, limit time.Duration, rates *[]float64) (requests float64, err error) {
	ctx, cancel := context.WithTimeout(e, limit)
	defer cancel()
	last, at, own := 0.0, time.Now(), 0.0
	for tick := time.Tick(100 * time.Millisecond); ; <-tick {
		if rates != nil {
			m, err := node.Metrics()
			if err != nil {
				return 0, err
			}
			requests = m.Requests() - own
			*rates = append(*rates, (requests-last)/time.Since(at).Seconds())
			last, at = requests, time.Now()
		}
		r, err := cli.Get(ctx, servingPrefix+"/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		own++
		if err != nil {
			return 0, fmt.Errorf("not all of %d are listed: %w", n, err)
		}
		if r.Count >= int64(n) {
			return requests, nil
		}
	}
}

// extrapolate says what the two measured points make of more, along the straight line through them.
func extrapolate(row *report.Row, steps []int) {
	for _, side := range []string{musterSide, peer} {
		for _, f := range []string{keepaliveFigure, requestFigure} {
			few, many := row.Values(membersCase(steps[0]), f, side), row.Values(membersCase(steps[1]), f, side)
			slope := (many[0] - few[0]) / float64(steps[1]-steps[0])
			for _, processes := range []int{200, 2000} {
				row.Add(fmt.Sprintf("extrapolated: %d registrations of %d processes", processes*membersEach, processes), f, side, report.PerSecond,
					many[0]+slope*float64(processes-steps[1]))
			}
		}
	}
	row.Note("The extrapolated figures are the straight line through the two measured points, at the same %d registrations for each process; "+
		"nothing beyond %d registrations was run. What does not grow along it (elections, compactions, slow watchers) is not in them, and etcd's CPU is left out, since two points of a counter of 10 ms are too few.",
		membersEach, steps[1]*membersEach)
}
