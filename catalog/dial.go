package catalog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/muster-go/muster/naming"
)

const (
	// redialMin and redialMax bound the pause between two rounds over the suspects of one service: one that dies gets no
	// new call a second after its socket closed, as long as a round takes less than the rest of that second.
	redialMin, redialMax = 400 * time.Millisecond, 600 * time.Millisecond
	// dialHolds is how long an attempt occupies its place at least.
	dialHolds = 10 * time.Millisecond
)

// dialed is what a round tells the owner of the suspects: one that accepts no connection, or that the round is over.
type dialed struct {
	refused *naming.Instance
	over    bool
}

// dialAll tries each suspect once, no more at a time than the catalog has places, and reports to out.
func (c *Catalog) dialAll(ctx context.Context, suspects []*naming.Instance, out chan<- dialed) {
	tell := func(d dialed) {
		select {
		case out <- d:
		case <-ctx.Done():
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, i := range suspects {
		select {
		case c.dials <- struct{}{}:
		case <-ctx.Done():
			return
		}
		wg.Go(func() {
			defer func() { <-c.dials }()
			free := time.NewTimer(dialHolds)
			defer free.Stop()
			if !c.accepts(ctx, i) {
				tell(dialed{refused: i})
			}
			select {
			case <-free.C:
			case <-ctx.Done():
			}
		})
	}
	wg.Wait()
	tell(dialed{over: true})
}

// accepts reports whether the instance takes a connection. Where this process is at fault, it gives the instance credit.
func (c *Catalog) accepts(ctx context.Context, i *naming.Instance) bool {
	ctx, cancel := context.WithTimeout(ctx, c.o.DialTimeout)
	defer cancel()
	conn, err := c.dial(ctx, i)
	if err == nil {
		if conn != nil {
			_ = conn.Close()
		}
		return true
	}
	for _, own := range []error{context.Canceled, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// dial calls the user's Dial, and makes its panic an error.
func (c *Catalog) dial(ctx context.Context, i *naming.Instance) (conn net.Conn, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("catalog: Options.Dial panicked: %v", p)
			c.o.Logger.Error("catalog: Options.Dial panicked", "panic", p)
		}
	}()
	network := i.Network
	if network == "" {
		network = "tcp"
	}
	return c.o.Dial(ctx, network, i.Addr)
}
