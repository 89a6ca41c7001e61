package rows

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/endpoint"
	"github.com/cloudwego/kitex/pkg/rpcinfo"

	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
)

// clock counts nanoseconds since the process began to measure.
var clockZero = time.Now()

func now() int64 { return int64(time.Since(clockZero)) }

// upstream is a Kitex client of one service whose calls end where the instance has been picked, so that what is measured
// is the choice and not the network.
type upstream struct {
	cli  echosvc.Client
	addr string // the instance that comes and goes

	first, last atomic.Int64 // picks of it; first is reset by arm
	seen        chan struct{}
	calls       atomic.Int64
}

func newUpstream(service, addr string, opts ...client.Option) (*upstream, error) {
	u := &upstream{addr: addr, seen: make(chan struct{}, 1)}
	stop := func(endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, _, _ any) error {
			u.picked(rpcinfo.GetRPCInfo(ctx).To().Address().String())
			return nil
		}
	}
	cli, err := echosvc.NewClient(service, append(opts, client.WithInstanceMW(stop))...)
	if err != nil {
		return nil, err
	}
	u.cli = cli
	return u, nil
}

func (u *upstream) picked(addr string) {
	u.calls.Add(1)
	if addr != u.addr {
		return
	}
	t := now()
	u.last.Store(t)
	if u.first.Load() == 0 && u.first.CompareAndSwap(0, t) {
		select {
		case u.seen <- struct{}{}:
		default:
		}
	}
}

// arm makes the next pick of the instance the first one.
func (u *upstream) arm() {
	select {
	case <-u.seen:
	default:
	}
	u.first.Store(0)
}

// awaitFirst returns when the instance was picked for the first time since arm.
func (u *upstream) awaitFirst(ctx context.Context) (int64, error) {
	select {
	case <-u.seen:
		return u.first.Load(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("never picked: %w", context.Cause(ctx))
	}
}

// awaitLast returns when the instance was picked last, once it has not been for as long as quiet says.
func (u *upstream) awaitLast(ctx context.Context, quiet time.Duration) (int64, error) {
	for {
		last := u.last.Load()
		left := quiet - time.Duration(now()-last)
		if left <= 0 {
			return last, nil
		}
		select {
		case <-time.After(left):
		case <-ctx.Done():
			return 0, fmt.Errorf("still picked: %w", context.Cause(ctx))
		}
	}
}

func (u *upstream) call(ctx context.Context) error {
	_, err := u.cli.Say(ctx, request)
	return err
}

var request = &echo.Request{Message: "hello"}

// load calls one upstream after another without a pause, every second time the first, until stop.
func load(all []*upstream) (stop func() error) {
	ctx := context.Background()
	var over atomic.Bool
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() {
		for i := 0; !over.Load(); i++ {
			u := all[0]
			if i%2 == 1 {
				u = all[(i/2)%len(all)]
			}
			if err := u.call(ctx); err != nil && failed == nil {
				failed = err
			}
		}
	})
	return func() error {
		over.Store(true)
		wg.Wait()
		return failed
	}
}
