package child

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	hertz "github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/hertzext"
	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
	"github.com/muster-go/muster/kitexext"
)

// impl answers with its own address.
type impl struct{ self string }

func (i *impl) Say(_ context.Context, r *echo.Request) (*echo.Response, error) {
	return &echo.Response{Message: r.Message, ServedBy: i.self}, nil
}

// dependency is what the probe looks at, and what an order breaks.
type dependency struct{ broken atomic.Bool }

func (d *dependency) check(context.Context) error {
	if d.broken.Load() {
		return errors.New("broken by order")
	}
	return nil
}

// probe is quick enough for a fault to be seen within half a second, and not so quick that a busy machine fails it.
func (d *dependency) probe() (health.Probe, error) {
	d.broken.Store(os.Getenv(UnfitVar) == "1")
	p := health.Probe{Name: "dep", Check: d.check, Interval: 200 * time.Millisecond, FailureThreshold: 2}
	if s := os.Getenv(ProbeVar); s != "" {
		every, err := time.ParseDuration(s)
		if err != nil {
			return p, fmt.Errorf("%s: %w", ProbeVar, err)
		}
		p.Interval, p.FailureThreshold, p.Jitter = every, 1, health.NoJitter
	}
	return p, nil
}

// instance serves echo behind all of Muster's parts until ctx ends, as a user's service would.
func instance(ctx context.Context, c *control) error {
	var dep dependency
	probe, err := dep.probe()
	if err != nil {
		return err
	}
	m, err := muster.FromEnv(context.Background(), probe)
	if err != nil {
		return err
	}
	defer m.Close()
	rpc, err := net.Listen("tcp", listenAddr())
	if err != nil {
		return err
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	svr := echosvc.NewServer(&impl{self(rpc)}, kitexext.WithRegistry(m.Gate, kitexext.Service(os.Getenv(ServiceVar))),
		server.WithListener(rpc), server.WithExitSignal(func() <-chan error {
			exit := make(chan error, 1)
			context.AfterFunc(ctx, func() { exit <- nil })
			return exit
		}))
	h := hertz.New(hertz.WithListener(web), hertz.WithIdleTimeout(0), hertz.WithDisablePrintRoute(true))
	h.Use(hertzext.Healthz(m.Health))
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.Run() })
	c.say(Event{Event: "listening", RPC: rpc.Addr().String(), HTTP: web.Addr().String()})

	obeyed, ended := context.WithCancel(context.Background())
	wg.Go(func() { dep.obey(obeyed, c, m.Health) })
	err = svr.Run()
	ended()
	_ = h.Close()
	return errors.Join(err, m.Close())
}

// self is what the instance is known as.
func self(l net.Listener) string {
	if a := os.Getenv("MUSTER_ADVERTISE_ADDR"); a != "" {
		return a
	}
	return l.Addr().String()
}

func listenAddr() string {
	if a := os.Getenv(ListenVar); a != "" {
		return a
	}
	return "127.0.0.1:0"
}

// obey carries out the orders fit, unfit, "flips N" and goroutines.
func (d *dependency) obey(ctx context.Context, c *control, m *health.Monitor) {
	for {
		var order string
		select {
		case order = <-c.orders:
		case <-ctx.Done():
			return
		}
		word, rest, _ := strings.Cut(order, " ")
		n := 0
		switch word {
		case goroutines:
			c.sayGoroutines()
			continue
		case "fit", "unfit":
			d.broken.Store(word == "unfit")
			d.settle(ctx, m, word == "fit")
		case "flips":
			n, _ = strconv.Atoi(rest)
			for range n { // as fast as the monitor takes them, whether the gate follows or not
				broken := !d.broken.Load()
				d.broken.Store(broken)
				d.settle(ctx, m, !broken)
			}
		}
		c.say(Event{Event: "done", Done: word, N: n})
	}
}

// settle waits until the monitor has seen it.
func (d *dependency) settle(ctx context.Context, m *health.Monitor, fit bool) {
	for ctx.Err() == nil {
		r, changed := m.Observe()
		if r.Fit == fit {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}
