package rows

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/connpool"
	"github.com/cloudwego/kitex/server"
	"github.com/cloudwego/netpoll"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
)

var bg = context.Background()

// echoServers is a process with Kitex servers.
func echoServers() rig.Ops {
	return rig.Ops{
		"serve": rig.Op(func(n int) ([]string, error) {
			var all []string
			for range n {
				l, err := netpoll.CreateListener("tcp", "127.0.0.1:0")
				if err != nil {
					return nil, err
				}
				svr := echosvc.NewServer(&answering{}, server.WithListener(l))
				go func() { _ = svr.Run() }()
				all = append(all, l.Addr().String())
			}
			return all, nil
		}),
	}
}

type answering struct{}

func (*answering) Say(_ context.Context, r *echo.Request) (*echo.Response, error) {
	return &echo.Response{Message: r.Message}, nil
}

const rpcCallers = 8

// RPC measures what the way to an instance costs a call.
func RPC(e *rig.Env, row *report.Row) error {
	row.What = fmt.Sprintf("Two echo servers in one process; three clients, each with %d callers and in a process of its own; they take turns, the order changing from "+
		"round to round. All have long connections, Thrift, and Kitex's default balancer. Of each turn the calls per second, p50 "+
		"and p99 of a call's time, and the allocations of the client's process per call are kept. Then the same, but for the "+
		"network: the calls end where the instance is picked, which leaves what the client itself does.", rpcCallers)
	row.Peers = append(row.Peers, "registry-etcd v0.3.0 with Kitex's refresh every 5 s, its default, which is in the figures as it would be in a user's.")
	node, err := e.Etcd()
	if err != nil {
		return err
	}
	servers, err := e.Start("echo-servers")
	if err != nil {
		return err
	}
	var at []string
	if err := servers.Ask("serve", 2, &at); err != nil {
		return err
	}
	cli, err := bareClient(node.Endpoint())
	if err != nil {
		return err
	}
	defer cli.Close()
	for _, addr := range at {
		if _, err := cli.Put(e, servingPrefix+"/echo-svc/"+addr, value(addr, 10)); err != nil {
			return err
		}
	}
	clients := map[string]*rig.Child{}
	for _, side := range rpcSides {
		if clients[side], err = e.Start("rpc-client"); err != nil {
			return err
		}
		if err := clients[side].Ask("open", rpcOrder{side, node.Endpoint(), at}, nil); err != nil {
			return fmt.Errorf("%s: %w", side, err)
		}
	}
	turn, rounds := 600*time.Millisecond, e.Reps(15, 2)
	if e.Smoke {
		turn = 50 * time.Millisecond
	}
	const net, pick = "over loopback, 8 callers", "without the network, 1 caller"
	for round := range rounds + 1 {
		e.Log("round %d of %d", round, rounds)
		for i := range rpcSides {
			side := rpcSides[(i+round)%len(rpcSides)]
			var r, p turnResult
			if err := clients[side].Ask("call", turn, &r); err != nil {
				return fmt.Errorf("%s: %w", side, err)
			}
			if err := clients[side].Ask("pick", turn/4, &p); err != nil {
				return fmt.Errorf("%s: %w", side, err)
			}
			if round > 0 { // the first one warms up
				r.add(row, net, side)
				p.add(row, pick, side)
			}
		}
	}
	for _, c := range []string{net, pick} {
		for _, other := range []string{peer, fixed} {
			x := row.Compare(c, callsFigure, musterSide, other, "pairs")
			x.More = true
			if other == peer && c == net {
				x.Draw("RPC throughput (more is better), beside " + other)
				x.NoneBelow(0.97)
			}
			half := row.Compare(c, "time of a call, p50", musterSide, other, "pairs").Draw("time of a call, p50, " + c + ", beside " + other)
			row.Compare(c, "time of a call, p99", musterSide, other, "pairs")
			allocs := row.Compare(c, "allocations per call", musterSide, other, "pairs")
			if other == peer && c == pick {
				half.AtMost(1.01) // the clock's own step is a hundredth of it
				allocs.AtMost(1)
			}
		}
	}
	return nil
}

const callsFigure = "calls per second"

var rpcSides = []string{musterSide, peer, fixed}

func rpcOption(side, endpoint string, at []string) (client.Option, error) {
	if side == fixed {
		return client.WithHostPorts(at...), nil
	}
	return resolverOption(side, endpoint)
}

// rpcOrder tells a child which client it has.
type rpcOrder struct {
	Side, Endpoint string
	At             []string
}

// rpcClient is a process with one side's client, so that what a side does in the background is in its own turns, and in no
// other's heap.
func rpcClient() rig.Ops {
	var (
		cli    echosvc.Client
		picker *upstream
	)
	return rig.Ops{
		"open": rig.Op(func(o rpcOrder) (_ bool, err error) {
			opt, err := rpcOption(o.Side, o.Endpoint, o.At)
			if err != nil {
				return false, err
			}
			if cli, err = echosvc.NewClient("echo-svc", opt, client.WithLongConnection(connpool.IdleConfig{
				MaxIdlePerAddress: 2 * rpcCallers, MaxIdleGlobal: 100, MaxIdleTimeout: time.Minute,
			})); err != nil {
				return false, err
			}
			picker, err = newUpstream("echo-svc", "", opt)
			return true, err
		}),
		"call": rig.Op(func(d time.Duration) (turnResult, error) {
			return callFor(d, rpcCallers, func() error { _, err := cli.Say(bg, request); return err })
		}),
		"pick": rig.Op(func(d time.Duration) (turnResult, error) {
			return callFor(d, 1, func() error { return picker.call(bg) })
		}),
	}
}

// turnResult is what one side did in one turn.
type turnResult struct {
	PerSecond, P50, P99 float64
	Allocs, Bytes       float64 // of a call; what the runtime allocates now and then is rounded off
}

func (r turnResult) add(row *report.Row, c, side string) {
	row.Add(c, callsFigure, side, report.PerSecond, r.PerSecond)
	row.Add(c, "time of a call, p50", side, report.Nanoseconds, r.P50)
	row.Add(c, "time of a call, p99", side, report.Nanoseconds, r.P99)
	row.Add(c, "allocations per call", side, report.Count, r.Allocs)
	row.Add(c, "allocated per call", side, report.Bytes, r.Bytes)
}

// callFor has callers call for a while. What it allocates itself is there before it counts.
func callFor(d time.Duration, callers int, call func() error) (turnResult, error) {
	took := make([][]time.Duration, callers)
	for i := range took {
		took[i] = make([]time.Duration, 0, 1<<20/callers)
	}
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for i := range callers {
		wg.Go(func() {
			mine := took[i]
			for last := start; time.Since(start) < d && len(mine) < cap(mine); {
				if err := call(); err != nil {
					failed.Store(&err)
					break
				}
				t := time.Now()
				mine = append(mine, t.Sub(last))
				last = t
			}
			took[i] = mine
		})
	}
	wg.Wait()
	total := time.Since(start)
	runtime.ReadMemStats(&after)
	if err := failed.Load(); err != nil {
		return turnResult{}, *err
	}
	all := slices.Concat(took...)
	n, ns := float64(len(all)), report.Times(all)
	return turnResult{
		n / total.Seconds(), median(ns), p99(ns),
		math.Round(100*float64(after.Mallocs-before.Mallocs)/n) / 100, float64(after.TotalAlloc-before.TotalAlloc) / n,
	}, nil
}
