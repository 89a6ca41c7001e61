package rows

import (
	"fmt"
	"strings"
	"time"

	"github.com/cloudwego/kitex/client"
	etcdregistry "github.com/kitex-contrib/registry-etcd"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/kitexext"
)

const (
	fixed         = "fixed host:port"
	idleUpstreams = 50
)

// idleOrder tells a child which kind of client it is.
type idleOrder struct {
	Side, Endpoint string
	Upstreams      int
}

// idleClient is a process that has many upstreams, each of which it calls once a second, so that Kitex keeps them.
func idleClient() rig.Ops {
	return rig.Ops{
		"start": rig.Op(func(o idleOrder) (int, error) { return o.Upstreams, startIdle(o) }),
		"usage": rig.Op(func(struct{}) (rig.Usage, error) { return rig.Use(), nil }),
	}
}

func startIdle(o idleOrder) error {
	opt, err := resolverOption(o.Side, o.Endpoint)
	if err != nil {
		return err
	}
	all := make([]*upstream, o.Upstreams)
	for i := range all {
		if all[i], err = newUpstream(fmt.Sprintf("svc-%03d", i), "", opt); err != nil {
			return err
		}
		if err := all[i].call(bg); err != nil {
			return err
		}
	}
	go func() {
		for range time.Tick(time.Second) { // all at once, since waking up costs more than the calls
			for _, u := range all {
				_ = u.call(bg)
			}
		}
	}()
	return nil
}

// resolverOption makes a client of that side. What it opens lives as long as the process.
func resolverOption(side, endpoint string) (client.Option, error) {
	switch side {
	case musterSide:
		d, err := newDriver(endpoint)
		if err != nil {
			return client.Option{}, err
		}
		c, err := newCatalog(d)
		return kitexext.WithResolver(c), err
	case peer:
		r, err := etcdregistry.NewEtcdResolver([]string{endpoint}, etcdregistry.WithEtcdServicePrefix(servingPrefix))
		return client.WithResolver(r), err
	default:
		return client.WithHostPorts("10.0.0.1:8888", "10.0.0.2:8888"), nil
	}
}

// Idle measures what it costs to be ready while nothing changes.
func Idle(e *rig.Env, row *report.Row) error {
	windows, window := 3, 10*time.Second
	if e.Smoke {
		windows, window = 1, time.Second
	}
	row.What = fmt.Sprintf("A process has clients of %d services of two instances each, and calls each of them once a second; the calls "+
		"end where the instance is picked. Nothing changes in the registry. After a warm-up of 5 s, %d times %v, one right after another: each process's CPU, the requests "+
		"that its etcd gets, and the bytes on its connections. All sides run at the same time, each with an etcd of its own, so that each window is the same for all. "+
		"A fixed host:port is what the process costs without any registry.", idleUpstreams, windows, window)
	row.Peers = append(row.Peers, "registry-etcd v0.3.0 with Kitex's refresh every 5 s, its default.")
	var sides []*idleSide
	for _, name := range []string{musterSide, peer, fixed} {
		s, err := openIdle(e, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		sides = append(sides, s)
	}
	if !e.Smoke {
		time.Sleep(5 * time.Second)
	}
	c := plural(idleUpstreams, "upstream")
	for _, s := range sides {
		if err := s.read(); err != nil {
			return err
		}
		s.began = s.at
	}
	for i := range windows {
		e.Log("%v of nothing, %d of %d", window, i+1, windows)
		time.Sleep(window)
		for _, s := range sides {
			if err := s.note(row, c); err != nil {
				return err
			}
		}
	}
	// One read each 30 s, wherever the windows begin.
	row.AtMost(c, idleRangeFigure, musterSide, "mean", 1.0/30+1/sides[0].at.Sub(sides[0].began).Seconds())
	if asked := changed(sides[0].first, sides[0].metrics); asked != "" {
		row.Note("Muster's requests in all windows together, by method: %s.", asked)
	}
	row.Compare(c, idleRequestFigure, musterSide, peer, "mean").Draw("etcd requests while idle, 50 upstreams, beside registry-etcd")
	row.Compare(c, idleBytesFigure, musterSide, peer, "mean").Draw("bytes on the wire while idle, beside registry-etcd")
	row.Compare(c, idleCPUFigure, musterSide, peer, "mean").Draw("CPU while idle, beside registry-etcd")
	row.Compare(c, idleCPUFigure, musterSide, fixed, "mean")
	return nil
}

const (
	idleRequestFigure = "etcd requests per second"
	idleRangeFigure   = "of these, range requests"
	idleBytesFigure   = "bytes on the wire per second"
	idleCPUFigure     = "CPU of the process per second"
)

// idleSide is one process and its etcd, and what they had used when they were last read.
type idleSide struct {
	name  string
	node  *rig.Node
	proxy *rig.Proxy
	child *rig.Child

	began, at time.Time
	first     rig.Metrics
	metrics   rig.Metrics
	use       rig.Usage
	bytes     int64
}

func openIdle(e *rig.Env, name string) (_ *idleSide, err error) {
	s := &idleSide{name: name}
	if s.node, err = e.Etcd(); err != nil {
		return nil, err
	}
	if err := fill(e, s.node, idleUpstreams); err != nil {
		return nil, err
	}
	if s.proxy, err = e.Proxy(s.node.Endpoint()); err != nil {
		return nil, err
	}
	if s.child, err = e.Start("idle-client"); err != nil {
		return nil, err
	}
	return s, s.child.Ask("start", idleOrder{name, s.proxy.Addr(), idleUpstreams}, nil)
}

func (s *idleSide) read() (err error) {
	if err := s.child.Ask("usage", nil, &s.use); err != nil {
		return err
	}
	if s.metrics, err = s.node.Metrics(); err != nil {
		return err
	}
	if s.first == nil {
		s.first = s.metrics
	}
	s.bytes, s.at = s.proxy.Bytes(), time.Now()
	return nil
}

// note adds what was used since it was read last.
func (s *idleSide) note(row *report.Row, c string) error {
	before := *s
	if err := s.read(); err != nil {
		return err
	}
	m, secs := s.metrics, s.at.Sub(before.at).Seconds()
	row.Add(c, idleRequestFigure, s.name, report.PerSecond, (m.Requests()-before.metrics.Requests())/secs)
	row.Add(c, idleRangeFigure, s.name, report.PerSecond, (m.Received("Range")-before.metrics.Received("Range"))/secs)
	row.Add(c, idleBytesFigure, s.name, report.Bytes, float64(s.bytes-before.bytes)/secs)
	row.Add(c, idleCPUFigure, s.name, report.Nanoseconds, float64(s.use.CPU-before.use.CPU)/secs)
	row.Add(c, "CPU of etcd per second", s.name, report.Nanoseconds, (m.CPU()-before.metrics.CPU())*1e9/secs)
	row.Add(c, "goroutines of the process", s.name, report.Count, float64(s.use.Goroutines))
	return nil
}

// changed lists which methods were called, and how often.
func changed(before, after rig.Metrics) string {
	var all []string
	for _, m := range []string{"Range", "Put", "Txn", "Watch", "LeaseGrant", "LeaseKeepAlive", "Status", "MemberList"} {
		if n := after.Received(m) - before.Received(m); n > 0 {
			all = append(all, fmt.Sprintf("%s %.0f", m, n))
		}
	}
	return strings.Join(all, ", ")
}

// fill writes two instances of each service.
func fill(e *rig.Env, node *rig.Node, services int) error {
	cli, err := bareClient(node.Endpoint())
	if err != nil {
		return err
	}
	defer cli.Close()
	for i := range services {
		for _, addr := range []string{"10.0.0.1:8888", "10.0.0.2:8888"} {
			if _, err := cli.Put(e, fmt.Sprintf("%s/svc-%03d/%s", servingPrefix, i, addr), value(addr, 10)); err != nil {
				return err
			}
		}
	}
	return nil
}
