package child

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
)

// crowd registers many instances that nobody calls, at addresses that nobody listens on, and tells when all of them serve.
// The order "pairs N" registers and deregisters one more N times, after a random part of 5 ms each.
func crowd(ctx context.Context, c *control) error {
	m, err := muster.FromEnv(context.Background())
	if err != nil {
		return err
	}
	defer m.Close()
	count, err := strconv.Atoi(os.Getenv(CountVar))
	if err != nil {
		return fmt.Errorf("%s: %w", CountVar, err)
	}
	number, _ := strconv.Atoi(os.Getenv(NumberVar))
	none := time.Duration(0)
	spec := gate.Spec{Service: os.Getenv(ServiceVar), DrainDelay: &none, Floor: &naming.Floor{}}
	for i := range count {
		spec.Advertise = fmt.Sprintf("10.%d.%d.%d:80", number, i/200, i%200+1)
		if _, err := m.Gate.Register(spec); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { tellServing(ctx, c, m.Health, count) })
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case order := <-c.orders:
			rest, ok := strings.CutPrefix(order, "pairs ")
			if !ok {
				continue
			}
			n, _ := strconv.Atoi(rest)
			failed, err := pairs(m.Gate, spec, number, n)
			if err != nil {
				cancel()
				wg.Wait()
				return err
			}
			c.say(Event{Event: "done", Done: "pairs", N: failed})
		}
	}
	cancel()
	wg.Wait()
	return m.Close()
}

// pairs registers and deregisters one instance n times, and counts the deregistrations that failed.
func pairs(g *gate.Gate, spec gate.Spec, number, n int) (failed int, err error) {
	for i := range n {
		spec.Advertise = fmt.Sprintf("10.%d.255.%d:80", number, i%200+1)
		r, err := g.Register(spec)
		if err != nil {
			return failed, err
		}
		<-time.After(rand.N(5 * time.Millisecond))
		if r.Deregister() != nil {
			failed++
		}
	}
	return failed, nil
}

// tellServing tells the number of those that serve whenever it becomes, or ceases to be, all of them.
func tellServing(ctx context.Context, c *control, m *health.Monitor, all int) {
	was := -1
	for ctx.Err() == nil {
		r, changed := m.Observe()
		n := 0
		for _, g := range r.Registrations {
			if g.State == health.Serving {
				n++
			}
		}
		if n != was && (n == all || was == all) {
			c.say(Event{Event: "serving", N: n})
		}
		was = n
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}
