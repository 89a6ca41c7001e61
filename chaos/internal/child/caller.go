package child

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/cloudwego/kitex/client"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
	"github.com/muster-go/muster/kitexext"
)

const (
	callTimeout = time.Second
	// inFlight bounds the calls under way at once: more can't be where each ends within its timeout.
	inFlight = 1000
)

// caller calls its services by turns, at a constant pace, whatever becomes of the calls, and tells of each one. It has no
// retries, which would hide what goes wrong; Kitex itself goes elsewhere only where a connection is refused. The order
// "call NAME" adds a service, "goroutines" has it count its own.
func caller(ctx context.Context, c *control) error {
	m, err := muster.FromEnv(context.Background())
	if err != nil {
		return err
	}
	defer m.Close()
	pace, err := time.ParseDuration(os.Getenv(PaceVar))
	if err != nil {
		return fmt.Errorf("%s: %w", PaceVar, err)
	}
	type target struct {
		name string
		cli  echosvc.Client
	}
	var targets []target
	add := func(name string) error {
		cli, err := echosvc.NewClient(name, kitexext.WithResolver(m.Catalog), recordPicks(),
			client.WithRPCTimeout(callTimeout), client.WithConnectTimeout(300*time.Millisecond))
		targets = append(targets, target{name, cli})
		return err
	}
	for _, name := range strings.Split(os.Getenv(ServicesVar), ",") {
		if err := add(name); err != nil {
			return err
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	places := make(chan struct{}, inFlight)
	call := func(n int) {
		t := targets[n%len(targets)]
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			began := time.Now()
			picked := &picks{began: began}
			r, err := t.cli.Say(context.WithValue(context.Background(), picksKey{}, picked), &echo.Request{Message: "x"})
			call := &Call{Service: t.name, Began: began.UnixMicro(), Took: time.Since(began).Microseconds(), Picks: picked.taken()}
			if err != nil {
				call.Err = err.Error()
			} else {
				call.By = r.ServedBy
			}
			c.say(Event{Event: "call", Call: call})
		})
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	c.say(Event{Event: "calling"})
	began := time.Now()
	for n := 0; ; n++ {
		// A machine that is busy drops ticks; the calls that they stood for are made up for.
		if due := began.Add(time.Duration(n) * pace); ctx.Err() == nil && time.Now().After(due) {
			call(n)
			continue
		}
		select {
		case <-tick.C:
		case order := <-c.orders:
			if name, ok := strings.CutPrefix(order, "call "); ok {
				if err := add(name); err != nil {
					return err
				}
			}
			if order == goroutines {
				c.sayGoroutines()
			}
		case <-ctx.Done():
			wg.Wait()
			return m.Close()
		}
		n-- // the tick only wakes
	}
}
