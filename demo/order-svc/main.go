// Command order-svc is one of the two services of Muster's demo: orders over RPC and HTTP. It is configured by Muster's
// environment variables and those of demo/internal/config.
package main

import (
	"os"

	"github.com/muster-go/muster/demo/internal/ordersvc"
	"github.com/muster-go/muster/demo/internal/rpc"
	"github.com/muster-go/muster/demo/internal/service"
)

func main() { os.Exit(service.Main(rpc.OrderService, ordersvc.Run)) }
