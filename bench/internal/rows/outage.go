package rows

import (
	"context"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/naming"
)

const (
	outageFigure  = "etcd serves again → the client's first message"
	outageClients = 20
	// outageLimit is for how long a client is waited for: gRPC's default backoff is at 35 to 52 s after 75 s of outage.
	outageLimit = time.Minute
)

// Outage measures how soon clients come back once etcd has.
func Outage(e *rig.Env, row *report.Row) error {
	away, n := 75*time.Second, e.Reps(outageClients, 2)
	if e.Smoke {
		away = time.Second
	}
	row.What = fmt.Sprintf("%d of Muster's drivers, each with an instance registered and a service watched, and as many clients of clientv3 with a watch, "+
		"each through a proxy of its own. etcd is killed, and nobody listens for %v; then it is started with the data it had, and the proxies with it. The clock "+
		"runs from there to the first message that a client sends on a new connection. This row runs beside those that come next and measure no short times.", n, away)
	row.Peers = append(row.Peers, "clientv3 with its defaults, which are what registry-etcd v0.3.0 uses: gRPC's backoff, up to 2 minutes between two attempts.")
	node, err := e.Etcd()
	if err != nil {
		return err
	}
	if err := fill(e, node, 1); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(e)
	defer cancel()
	var all []*returning
	for i := range n {
		for _, side := range []string{musterSide, bare} {
			r := &returning{side: side}
			if r.proxy, err = e.Proxy(node.Endpoint()); err != nil {
				return err
			}
			all = append(all, r)
			if err := r.open(ctx, e, i); err != nil {
				return fmt.Errorf("%s: %w", side, err)
			}
		}
	}
	e.Log("etcd is away for %v", away)
	node.Kill()
	for _, r := range all {
		r.proxy.Down()
	}
	time.Sleep(away)
	if err := node.Restart(); err != nil {
		return err
	}
	e.Log("etcd is back")
	var wg sync.WaitGroup
	for _, r := range all {
		wg.Go(func() { r.err = r.await(e) })
	}
	wg.Wait()
	c := fmt.Sprintf("etcd away for %v", away)
	for _, r := range all {
		switch {
		case r.err != nil && r.side == musterSide:
			return fmt.Errorf("%s: %w", r.side, r.err)
		case r.err != nil:
			row.Note("One client of %s had not come back after %v, and counts as that.", r.side, outageLimit)
			r.took = outageLimit
		}
		row.Add(c, outageFigure, r.side, report.Nanoseconds, float64(r.took))
	}
	row.AtMost(c, outageFigure, musterSide, "max", float64(time.Second))
	row.Compare(c, outageFigure, musterSide, bare, "p50").Draw(outageFigure + ", beside clientv3's defaults")
	return nil
}

// returning is a client that loses etcd and finds it again.
type returning struct {
	side  string
	proxy *rig.Proxy
	took  time.Duration
	err   error
}

func (r *returning) open(ctx context.Context, e *rig.Env, i int) error {
	if r.side == bare {
		cli, err := bareClient(r.proxy.Addr())
		if err != nil {
			return err
		}
		e.Defer(func() { _ = cli.Close() })
		if _, err := cli.Get(ctx, "now"); err != nil {
			return err
		}
		go func() {
			for ctx.Err() == nil {
				for range cli.Watch(ctx, servingPrefix, clientv3.WithPrefix()) { // which may end with an outage
				}
				time.Sleep(100 * time.Millisecond)
			}
		}()
		return nil
	}
	d, err := newDriver(r.proxy.Addr())
	if err != nil {
		return err
	}
	e.Defer(func() { _ = d.Close() })
	in, err := naming.Instance{Service: "svc-001", Addr: address(i), ID: fmt.Sprintf("back-%d", i)}.Normalize()
	if err != nil {
		return err
	}
	m, err := d.Join(ctx, naming.Claim{Instance: in, Status: naming.Status{State: "waiting"}})
	if err != nil {
		return err
	}
	if err := m.Publish(ctx, naming.Status{State: "serving"}, false); err != nil {
		return err
	}
	c, err := newCatalog(d)
	if err != nil {
		return err
	}
	e.Defer(func() { _ = c.Close() })
	_, err = c.Lookup(ctx, "svc-000")
	return err
}

// await lets the client in again and waits for its first message.
func (r *returning) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, outageLimit)
	defer cancel()
	r.proxy.Arm()
	start := time.Now()
	if err := r.proxy.Up(); err != nil {
		return err
	}
	first, err := r.proxy.First(ctx)
	r.took = first.Sub(start)
	return err
}
