// Package beside runs a Kitex server beside a Hertz server in one process, and stops them in the order that a drain
// needs. It is small and free of the demo, to be copied:
//
//	ctx, cancel := beside.Signals()
//	defer cancel()
//	pair := beside.New(ctx)
//	svr := userservice.NewServer(impl, kitexext.WithRegistry(m.Gate, kitexext.Service("user-svc")),
//		server.WithListener(rpcListener), pair.Exit())
//	h := hertz.New(hertz.WithListener(webListener), hertz.WithIdleTimeout(0))
//	h.Use(hertzext.Healthz(m.Health))
//	return pair.Run(svr, h)
//
// # The order
//
// Both frameworks install a signal handler of their own when they are left alone (Kitex in Run, Hertz in Spin), and then
// stop at the same time: a /healthz that is gone while RPC calls still come in. Here one handler ends ctx, and then
//
//  1. Kitex deregisters: /healthz says draining, the instance leaves the registry, and MUSTER_DRAIN_DELAY passes, all
//     while both servers answer; then it closes its listener and waits for the calls in flight.
//  2. Hertz stops.
//  3. Run returns, and the caller closes Muster, then its databases, which the last calls still needed.
//
// # How long it takes
//
// At most MUSTER_DRAIN_DELAY + 3 s for the leave, Kitex's exit wait (5 s) for calls in flight, and Hertz's exit wait (5 s)
// for requests in flight: 14 s with the defaults, and about MUSTER_DRAIN_DELAY + 0.2 s where the registry answers and no
// call takes long. Kubernetes' terminationGracePeriodSeconds (default 30) must exceed the former, with no sleep in a
// preStop hook: the drain delay is that sleep.
//
// By default Hertz reads ahead on a connection that is kept alive (WithIdleTimeout, 3 minutes) and takes that for a request
// in flight: one idle connection, of a monitoring system say, then makes each stop 5 s longer. WithIdleTimeout(0) leaves
// idle connections to netpoll, which closes them at once.
package beside

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	hertz "github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/kitex/server"
)

// Signals returns a context that the first SIGINT or SIGTERM ends. A second one ends the process at once, as if nobody
// handled signals: whoever sends it does not want to wait for the drain.
func Signals() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case <-got:
		case <-ctx.Done():
		}
		signal.Stop(got) // before ctx ends: who sees that may count on the second signal
		cancel()
	}()
	return ctx, cancel
}

// Pair is a Kitex server beside a Hertz server. Make one with [New] for each pair, and run it once.
type Pair struct {
	ctx  context.Context
	exit context.CancelFunc
}

// New returns a pair that runs until ctx ends.
func New(ctx context.Context) *Pair {
	p := &Pair{}
	p.ctx, p.exit = context.WithCancel(ctx)
	return p
}

// Exit makes the Kitex server leave signals alone, and stop when the pair does.
func (p *Pair) Exit() server.Option {
	return server.WithExitSignal(func() <-chan error {
		exit := make(chan error)
		context.AfterFunc(p.ctx, func() { close(exit) })
		return exit
	})
}

// Run runs both servers until the pair's context ends or one of them fails, stops them in order, and returns once both
// have ended: nil where they ended because the context did. The Kitex server must have been made with the option of
// [Pair.Exit]. Give both a listener of your own: Hertz panics where it can't listen.
func (p *Pair) Run(rpc server.Server, web *hertz.Hertz) error {
	defer p.exit()
	if p.ctx.Err() != nil {
		return nil // asked to stop before it began
	}
	rpcDone, webDone := start("kitex", rpc.Run), start("hertz", web.Run)

	var errs []error
	select {
	case err := <-rpcDone:
		if err == nil && p.ctx.Err() == nil {
			err = errors.New("kitex: ended although nobody asked it to")
		}
		errs = append(errs, err, stopHertz(web, webDone))
	case err := <-webDone:
		if err == nil {
			err = errors.New("hertz: ended although nobody asked it to")
		}
		p.exit()
		errs = append(errs, err, <-rpcDone)
	}
	return errors.Join(errs...)
}

// start runs a server in a goroutine of its own and delivers how it ended. Hertz panics where its listener fails.
func start(name string, run func() error) <-chan error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("%s: %v", name, r)
			}
		}()
		if err := run(); err != nil {
			done <- fmt.Errorf("%s: %w", name, err)
			return
		}
		done <- nil
	}()
	return done
}

// stopHertz stops Hertz gracefully. In the first moments after its start Shutdown does nothing, since there is nothing to
// shut yet, and Hertz has no event for that moment: so it is asked again until Run has returned.
func stopHertz(web *hertz.Hertz, done <-chan error) error {
	const (
		again = 20 * time.Millisecond
		most  = 2 * time.Second // after Hertz's own exit wait, which Shutdown keeps
	)
	err := web.Shutdown(context.Background())
	limit := time.NewTimer(most)
	defer limit.Stop()
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		select {
		case runErr := <-done:
			return runErr
		case <-tick.C:
			if web.IsRunning() {
				err = web.Shutdown(context.Background())
			} else {
				err = web.Close() // reaches a listener that Shutdown was too early for
			}
		case <-limit.C:
			return errors.Join(errors.New("hertz: did not stop"), err)
		}
	}
}
