package ordersvc

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
	"github.com/muster-go/muster/demo/kitex_gen/user"
	"github.com/muster-go/muster/demo/kitex_gen/user/userservice"
)

type users struct{ err error }

func (u users) GetUser(_ context.Context, req *user.GetUserRequest, _ ...callopt.Option) (*user.GetUserResponse, error) {
	return &user.GetUserResponse{
		User:     &user.User{Id: req.Id, Name: "Somebody"},
		ServedBy: []*user.Hop{{Service: "user-svc", Instance: "u:1"}, {Service: "order-svc", Instance: "o:2"}},
	}, u.err
}

func newHandler(t *testing.T, client userservice.Client) *handler {
	t.Helper()
	orders, err := store.OpenOrders(config.SQLite, "")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := cache.Open("", "order:", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(orders.Close(), rows.Close()) })
	if err := errors.Join(orders.Check(t.Context()), rows.Ping(t.Context())); err != nil {
		t.Fatal(err)
	}
	return &handler{self: rpc.NewSelf("order-svc", &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 9}), orders: orders, cache: rows, users: client}
}

func TestGetOrder(t *testing.T) {
	t.Parallel()
	h := newHandler(t, users{})
	for range 2 { // from the database, then from the cache
		got, err := h.GetOrder(t.Context(), &order.GetOrderRequest{Id: 3})
		if err != nil {
			t.Fatal(err)
		}
		if got.Order.Id != 3 || got.Order.Item == "" || got.Buyer.Id != got.Order.UserId || got.Buyer.Name != "Somebody" {
			t.Fatalf("got %+v", got)
		}
		if len(got.ServedBy) != 3 || got.ServedBy[0].Instance != "10.0.0.1:9" || got.ServedBy[2].Instance != "o:2" {
			t.Fatalf("served by %+v", got.ServedBy)
		}
		if err := h.orders.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGetOrderErrors(t *testing.T) {
	t.Parallel()
	away := errors.New("user-svc is away")
	h := newHandler(t, users{err: away})
	if _, err := h.GetOrder(t.Context(), &order.GetOrderRequest{Id: 1}); !errors.Is(err, away) {
		t.Fatalf("error %v, want %v", err, away)
	}
	var none *order.OrderNotFound
	if _, err := h.GetOrder(t.Context(), &order.GetOrderRequest{Id: 1e6}); !errors.As(err, &none) || none.Id != 1e6 {
		t.Fatalf("error %v, want OrderNotFound of that id", err)
	}
}

// user-svc asks this while GetOrder waits for user-svc: there must be nobody to ask back.
func TestCountOrdersAsksNobody(t *testing.T) {
	t.Parallel()
	h := newHandler(t, nil)
	var sum int64
	for id := int64(1); id <= store.SeededUsers; id++ {
		got, err := h.CountOrders(t.Context(), &order.CountOrdersRequest{UserId: id})
		if err != nil || len(got.ServedBy) != 1 {
			t.Fatalf("CountOrders(%d) = %+v, %v", id, got, err)
		}
		sum += got.Count
	}
	if sum != store.SeededOrders {
		t.Fatalf("%d orders in all, want %d", sum, store.SeededOrders)
	}
}
