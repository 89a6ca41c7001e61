package ordersvc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	hertz "github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/demo/internal/beside"
	"github.com/muster-go/muster/demo/internal/cache"
	"github.com/muster-go/muster/demo/internal/config"
	"github.com/muster-go/muster/demo/internal/rpc"
	"github.com/muster-go/muster/demo/internal/store"
	"github.com/muster-go/muster/demo/internal/web"
	"github.com/muster-go/muster/demo/kitex_gen/order"
	"github.com/muster-go/muster/demo/kitex_gen/order/orderservice"
	"github.com/muster-go/muster/demo/kitex_gen/user/userservice"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/hertzext"
	"github.com/muster-go/muster/kitexext"
	"github.com/muster-go/muster/promext"
)

// Run runs order-svc, as the environment says, until ctx ends; then it drains, and returns nil if that went well.
func Run(ctx context.Context, log *slog.Logger) (err error) {
	cfg, err := config.FromEnv(config.Config{RPCAddr: ":8882", HTTPAddr: ":8082"})
	if err != nil {
		return err
	}
	closing := func(end func() error) { err = errors.Join(err, end()) }

	orders, err := store.OpenOrders(cfg.DBDriver, cfg.DBDSN)
	if err != nil {
		return err
	}
	defer closing(orders.Close)
	rows, err := cache.Open(cfg.RedisAddr, "order:", log)
	if err != nil {
		return err
	}
	defer closing(rows.Close)

	m, err := muster.FromEnv(ctx,
		health.Probe{Name: "db", Check: orders.Check, Interval: time.Second},
		health.Probe{Name: "redis", Check: rows.Ping, Interval: time.Second},
	)
	if err != nil {
		return err
	}
	defer closing(m.Close)

	users, err := userservice.NewClient(rpc.UserService, append(rpc.ClientOptions(), kitexext.WithResolver(m.Catalog))...)
	if err != nil {
		return err
	}
	rpcListener, err := net.Listen("tcp", cfg.RPCAddr)
	if err != nil {
		return fmt.Errorf("DEMO_RPC_ADDR: %w", err)
	}
	webListener, err := net.Listen("tcp", cfg.HTTPAddr)
	if err != nil {
		return errors.Join(fmt.Errorf("DEMO_HTTP_ADDR: %w", err), rpcListener.Close())
	}

	impl := &handler{self: rpc.NewSelf(rpc.OrderService, rpcListener.Addr()), orders: orders, cache: rows, users: users}
	pair := beside.New(ctx)
	svr := orderservice.NewServer(impl, kitexext.WithRegistry(m.Gate, kitexext.Service(rpc.OrderService)),
		server.WithListener(rpcListener), pair.Exit())
	h := hertz.New(hertz.WithListener(webListener), hertz.WithIdleTimeout(0), hertz.WithDisablePrintRoute(true))
	h.Use(hertzext.Healthz(m.Health))
	h.GET("/metrics", web.Metrics(promext.NewCollector(m.Health, m.Catalog)))
	h.GET("/orders/:id", web.ByID(log, func(ctx context.Context, id int64) (*order.GetOrderResponse, error) {
		return impl.GetOrder(ctx, &order.GetOrderRequest{Id: id})
	}))

	log.Info("listening", "rpc", rpcListener.Addr().String(), "http", webListener.Addr().String(), "instance", impl.self.String())
	return pair.Run(svr, h)
}
