package usersvc

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"

	"github.com/cloudwego/kitex/client/callopt"

	"github.com/muster-go/muster/demo/internal/cache"
	"github.com/muster-go/muster/demo/internal/config"
	"github.com/muster-go/muster/demo/internal/rpc"
	"github.com/muster-go/muster/demo/internal/store"
	"github.com/muster-go/muster/demo/kitex_gen/order"
	"github.com/muster-go/muster/demo/kitex_gen/order/orderservice"
	"github.com/muster-go/muster/demo/kitex_gen/user"
)

// orders is an order-svc of which only CountOrders may be asked.
type orders struct {
	orderservice.Client
	err error
}

func (o orders) CountOrders(_ context.Context, req *order.CountOrdersRequest, _ ...callopt.Option) (*order.CountOrdersResponse, error) {
	return &order.CountOrdersResponse{Count: 10 * req.UserId, ServedBy: []*user.Hop{{Service: "order-svc", Instance: "o:1"}}}, o.err
}

func newHandler(t *testing.T, client orderservice.Client) *handler {
	t.Helper()
	users, err := store.OpenUsers(config.SQLite, "")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := cache.Open("", "user:", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(users.Close(), rows.Close()) })
	if err := errors.Join(users.Check(t.Context()), rows.Ping(t.Context())); err != nil {
		t.Fatal(err)
	}
	return &handler{self: rpc.NewSelf("user-svc", &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 8}), users: users, cache: rows, orders: client}
}

func TestGetUser(t *testing.T) {
	t.Parallel()
	h := newHandler(t, orders{})
	for range 2 { // from the database, then from the cache
		got, err := h.GetUser(t.Context(), &user.GetUserRequest{Id: 2})
		if err != nil {
			t.Fatal(err)
		}
		if got.User.Id != 2 || got.User.Name != "Bo Almeida" || got.OrderCount != 20 {
			t.Fatalf("got %+v", got)
		}
		if len(got.ServedBy) != 2 || got.ServedBy[0].Instance != "10.0.0.1:8" || got.ServedBy[0].BeganUs == 0 || got.ServedBy[1].Instance != "o:1" {
			t.Fatalf("served by %+v", got.ServedBy)
		}
		if err := h.users.Close(); err != nil { // what comes now can only be cached
			t.Fatal(err)
		}
	}
}

func TestGetUserErrors(t *testing.T) {
	t.Parallel()
	away := errors.New("order-svc is away")
	h := newHandler(t, orders{err: away})
	if _, err := h.GetUser(t.Context(), &user.GetUserRequest{Id: 1}); !errors.Is(err, away) {
		t.Fatalf("error %v, want %v", err, away)
	}
	var none *user.UserNotFound
	if _, err := h.GetUser(t.Context(), &user.GetUserRequest{Id: 1e6}); !errors.As(err, &none) || none.Id != 1e6 {
		t.Fatalf("error %v, want UserNotFound of that id", err)
	}
}
