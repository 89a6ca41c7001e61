// Package ordersvc is the service order-svc: orders from a database behind a cache, each with the buyer that user-svc
// knows.
package ordersvc

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/muster-go/muster/demo/internal/cache"
	"github.com/muster-go/muster/demo/internal/rpc"
	"github.com/muster-go/muster/demo/internal/store"
	"github.com/muster-go/muster/demo/kitex_gen/order"
	"github.com/muster-go/muster/demo/kitex_gen/user"
	"github.com/muster-go/muster/demo/kitex_gen/user/userservice"
)

// handler implements orderservice.
type handler struct {
	self   rpc.Self
	orders store.Orders
	cache  *cache.Cache
	users  userservice.Client
}

func (h *handler) GetOrder(ctx context.Context, req *order.GetOrderRequest) (*order.GetOrderResponse, error) {
	hop := h.self.Hop()
	o, err := cache.Through(ctx, h.cache, strconv.FormatInt(req.Id, 10), func(ctx context.Context) (*order.Order, error) {
		return h.orders.Order(ctx, req.Id)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, &order.OrderNotFound{Id: req.Id}
	}
	if err != nil {
		return nil, err
	}
	u, err := h.users.GetUser(ctx, &user.GetUserRequest{Id: o.UserId})
	if err != nil {
		return nil, fmt.Errorf("buyer %d of order %d: %w", o.UserId, req.Id, err)
	}
	return &order.GetOrderResponse{Order: o, Buyer: u.User, ServedBy: append([]*user.Hop{hop}, u.ServedBy...)}, nil
}

// CountOrders must never ask user-svc: it is what user-svc asks while GetOrder waits for it.
func (h *handler) CountOrders(ctx context.Context, req *order.CountOrdersRequest) (*order.CountOrdersResponse, error) {
	hop := h.self.Hop()
	n, err := cache.Through(ctx, h.cache, "count:"+strconv.FormatInt(req.UserId, 10), func(ctx context.Context) (int64, error) {
		return h.orders.Count(ctx, req.UserId)
	})
	if err != nil {
		return nil, err
	}
	return &order.CountOrdersResponse{Count: n, ServedBy: []*user.Hop{hop}}, nil
}
