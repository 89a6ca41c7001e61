// Command user-svc is one of the two services of Muster's demo: users over RPC and HTTP. It is configured by Muster's
// environment variables and those of demo/internal/config.
package main

import (
	"os"

	"github.com/muster-go/muster/demo/internal/rpc"
	"github.com/muster-go/muster/demo/internal/service"
	"github.com/muster-go/muster/demo/internal/usersvc"
)

func main() { os.Exit(service.Main(rpc.UserService, usersvc.Run)) }
