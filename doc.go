// Package muster keeps a Kitex server in the registry exactly while it is fit to serve, and lets Kitex clients know of each
// change by watch.
//
//	m, err := muster.FromEnv(ctx,
//		health.Probe{Name: "db", Check: health.SQL(db)},
//		health.Probe{Name: "redis", Check: func(ctx context.Context) error { return rdb.Ping(ctx).Err() }},
//	)
//	if err != nil {
//		return err // it names the variable that is wrong
//	}
//	defer m.Close()
//
//	svr := userservice.NewServer(impl, kitexext.WithRegistry(m.Gate, kitexext.Service("user-svc"))) // a server.Option
//	cli, err := orderservice.NewClient("order-svc", kitexext.WithResolver(m.Catalog))               // a client.Option
//	h.Use(hertzext.Healthz(m.Health))                                                               // an app.HandlerFunc
//
// The package wires the parts for the usual case: probes from the program, everything else from environment variables, etcd
// as the registry. Whoever needs another wiring uses the parts themselves: health, gate, catalog and a driver.
package muster
