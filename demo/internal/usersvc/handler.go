// Package usersvc is the service user-svc: users from a database behind a cache, each with the number of orders that
// order-svc knows of.
package usersvc

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/muster-go/muster/demo/internal/cache"
	"github.com/muster-go/muster/demo/internal/rpc"
	"github.com/muster-go/muster/demo/internal/store"
	"github.com/muster-go/muster/demo/kitex_gen/order"
	"github.com/muster-go/muster/demo/kitex_gen/order/orderservice"
	"github.com/muster-go/muster/demo/kitex_gen/user"
)

// handler implements userservice.
type handler struct {
	self   rpc.Self
	users  store.Users
	cache  *cache.Cache
	orders orderservice.Client
}

func (h *handler) GetUser(ctx context.Context, req *user.GetUserRequest) (*user.GetUserResponse, error) {
	hop := h.self.Hop()
	u, err := cache.Through(ctx, h.cache, strconv.FormatInt(req.Id, 10), func(ctx context.Context) (*user.User, error) {
		return h.users.User(ctx, req.Id)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, &user.UserNotFound{Id: req.Id}
	}
	if err != nil {
		return nil, err
	}
	n, err := h.orders.CountOrders(ctx, &order.CountOrdersRequest{UserId: req.Id})
	if err != nil {
		return nil, fmt.Errorf("count the orders of user %d: %w", req.Id, err)
	}
	return &user.GetUserResponse{User: u, OrderCount: n.Count, ServedBy: append([]*user.Hop{hop}, n.ServedBy...)}, nil
}
