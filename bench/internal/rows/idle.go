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
	window := 30 * time.Second
	if e.Smoke {
		window = 2 * time.Second
	}
	row.What = fmt.Sprintf("A process has clients of %d services of two instances each, and calls each of them once a second; the calls "+
		"end where the instance is picked. Nothing changes in the registry. For %v after a warm-up of 5 s each process's CPU, the requests "+
		"that its etcd gets, and the bytes on its connections are counted. All sides run at the same time, each with an etcd of its own. "+
		"A fixed host:port is what the process costs without any registry.", idleUpstreams, window)
	row.Peers = append(row.Peers, "registry-etcd v0.3.0 with Kitex's refresh every 5 s, its default.")
	type side struct {
		name   string
		node   *rig.Node
		proxy  *rig.Proxy
		child  *rig.Child
		before rig.Metrics
		use    rig.Usage
		bytes  int64
	}
	sides := []*side{{name: musterSide}, {name: peer}, {name: fixed}}
	for _, s := range sides {
		var err error
		if s.node, err = e.Etcd(); err != nil {
			return err
		}
		if err := fill(e, s.node, idleUpstreams); err != nil {
			return err
		}
		if s.proxy, err = e.Proxy(s.node.Endpoint()); err != nil {
			return err
		}
		if s.child, err = e.Start("idle-client"); err != nil {
			return err
		}
		if err := s.child.Ask("start", idleOrder{s.name, s.proxy.Addr(), idleUpstreams}, nil); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	e.Log("%v of nothing", window)
	if !e.Smoke {
		time.Sleep(5 * time.Second)
	}
	for _, s := range sides {
		var err error
		if s.before, err = s.node.Metrics(); err != nil {
			return err
		}
		if err := s.child.Ask("usage", nil, &s.use); err != nil {
			return err
		}
		s.bytes = s.proxy.Bytes()
	}
	began := time.Now()
	time.Sleep(window)
	c := plural(idleUpstreams, "upstream")
	for _, s := range sides {
		var after rig.Usage
		if err := s.child.Ask("usage", nil, &after); err != nil {
			return err
		}
		m, err := s.node.Metrics()
		if err != nil {
			return err
		}
		secs := time.Since(began).Seconds()
		row.Add(c, "etcd requests per second", s.name, report.PerSecond, (m.Requests()-s.before.Requests())/secs)
		row.Add(c, "of these, range requests", s.name, report.PerSecond, (m.Received("Range")-s.before.Received("Range"))/secs)
		row.Add(c, "bytes on the wire per second", s.name, report.Bytes, float64(s.proxy.Bytes()-s.bytes)/secs)
		row.Add(c, "CPU of the process per second", s.name, report.Nanoseconds, float64(after.CPU-s.use.CPU)/secs)
		row.Add(c, "CPU of etcd per second", s.name, report.Nanoseconds, (m.CPU()-s.before.CPU())*1e9/secs)
		row.Add(c, "goroutines of the process", s.name, report.Count, float64(after.Goroutines))
		if s.name == musterSide {
			row.AtMost(c, "of these, range requests", musterSide, "p50", 1.0/30+1/secs) // one read each 30 s, wherever the window begins
			if asked := changed(s.before, m); asked != "" {
				row.Note("Muster's requests in %.0f s, by method: %s.", secs, asked)
			}
		}
	}
	row.Compare(c, "etcd requests per second", musterSide, peer, "p50").Draw("etcd requests while idle, 50 upstreams, beside registry-etcd")
	row.Compare(c, "bytes on the wire per second", musterSide, peer, "p50").Draw("bytes on the wire while idle, beside registry-etcd")
	row.Compare(c, "CPU of the process per second", musterSide, peer, "p50").Draw("CPU while idle, beside registry-etcd")
	row.Compare(c, "CPU of the process per second", musterSide, fixed, "p50")
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
