package usersvc

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
	"github.com/muster-go/muster/demo/kitex_gen/order/orderservice"
	"github.com/muster-go/muster/demo/kitex_gen/user"
	"github.com/muster-go/muster/demo/kitex_gen/user/userservice"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/hertzext"
	"github.com/muster-go/muster/kitexext"
	"github.com/muster-go/muster/promext"
)

// Run runs user-svc, as the environment says, until ctx ends; then it drains, and returns nil if that went well.
func Run(ctx context.Context, log *slog.Logger) (err error) {
	cfg, err := config.FromEnv(config.Config{RPCAddr: ":8881", HTTPAddr: ":8081"})
	if err != nil {
		return err
	}
	closing := func(end func() error) { err = errors.Join(err, end()) }

	users, err := store.OpenUsers(cfg.DBDriver, cfg.DBDSN)
	if err != nil {
		return err
	}
	defer closing(users.Close)
	rows, err := cache.Open(cfg.RedisAddr, "user:", log)
	if err != nil {
		return err
	}
	defer closing(rows.Close)

	m, err := muster.FromEnv(ctx,
		health.Probe{Name: "db", Check: users.Check, Interval: time.Second},
		health.Probe{Name: "redis", Check: rows.Ping, Interval: time.Second},
	)
	if err != nil {
		return err
	}
	defer closing(m.Close)

	orders, err := orderservice.NewClient(rpc.OrderService, append(rpc.ClientOptions(), kitexext.WithResolver(m.Catalog))...)
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

	impl := &handler{self: rpc.NewSelf(rpc.UserService, rpcListener.Addr()), users: users, cache: rows, orders: orders}
	pair := beside.New(ctx)
	svr := userservice.NewServer(impl, kitexext.WithRegistry(m.Gate, kitexext.Service(rpc.UserService)),
		server.WithListener(rpcListener), pair.Exit())
	h := hertz.New(hertz.WithListener(webListener), hertz.WithIdleTimeout(0), hertz.WithDisablePrintRoute(true))
	h.Use(hertzext.Healthz(m.Health))
	h.GET("/metrics", web.Metrics(promext.NewCollector(m.Health, m.Catalog)))
	h.GET("/users/:id", web.ByID(log, func(ctx context.Context, id int64) (*user.GetUserResponse, error) {
		return impl.GetUser(ctx, &user.GetUserRequest{Id: id})
	}))

	log.Info("listening", "rpc", rpcListener.Addr().String(), "http", webListener.Addr().String(), "instance", impl.self.String())
	return pair.Run(svr, h)
}
