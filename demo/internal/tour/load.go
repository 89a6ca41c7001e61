package tour

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/demo/internal/rpc"
	"github.com/muster-go/muster/demo/internal/store"
	"github.com/muster-go/muster/demo/kitex_gen/order"
	"github.com/muster-go/muster/demo/kitex_gen/order/orderservice"
	"github.com/muster-go/muster/demo/kitex_gen/user"
	"github.com/muster-go/muster/demo/kitex_gen/user/userservice"
	"github.com/muster-go/muster/kitexext"
)

// callers and pace make the load: 10 callers, each with one call every 30 ms, are 333 calls per second, and with the
// calls that the services make of each other about 830.
const (
	callers = 10
	pace    = 30 * time.Millisecond
)

// clients are ordinary Kitex clients with Muster's resolver.
type clients struct {
	users  userservice.Client
	orders orderservice.Client
}

func newClients(m *muster.Muster) (c clients, err error) {
	opts := append(rpc.ClientOptions(), kitexext.WithResolver(m.Catalog))
	if c.users, err = userservice.NewClient(rpc.UserService, opts...); err != nil {
		return c, err
	}
	c.orders, err = orderservice.NewClient(rpc.OrderService, opts...)
	return c, err
}

// one makes a call: by turns for an order, which asks user-svc for the buyer, which asks order-svc for the count, and for
// a user.
func (c clients) one(ctx context.Context, n int) call {
	r := call{began: time.Now()}
	if n%2 == 0 {
		var got *order.GetOrderResponse
		if got, r.err = c.orders.GetOrder(ctx, &order.GetOrderRequest{Id: 1 + rand.Int64N(store.SeededOrders)}); r.err == nil {
			r.hops = got.ServedBy
		}
	} else {
		var got *user.GetUserResponse
		if got, r.err = c.users.GetUser(ctx, &user.GetUserRequest{Id: 1 + rand.Int64N(store.SeededUsers)}); r.err == nil {
			r.hops = got.ServedBy
		}
	}
	r.took = time.Since(r.began)
	return r
}

// load calls both services without a pause until stop is called, which waits for the last call.
func (c clients) load(l *ledger) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for n := i; ; n++ {
				select {
				case <-tick.C:
					l.add(c.one(context.Background(), n)) // a call in flight is finished
				case <-ctx.Done():
					return
				}
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}
