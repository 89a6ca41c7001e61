// Command muster shows and steers what is registered: it lists instances with their states and failing probes, follows
// them live, takes one out of traffic and back in, walls namespaces off in etcd (roles), and finds out what is wrong (doctor).
//
// It is configured by the environment that the services themselves are configured by (MUSTER_NAMESPACE,
// MUSTER_ETCD_ENDPOINTS and so on), with the same rules: a protected namespace has to be confirmed here, too.
//
// Exit codes: 0 done; 1 it did not work, say because etcd does not answer; 2 the command line or the environment is wrong
// (doctor reports a wrong environment with 1); 3 there is no such instance or service.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, &app{out: os.Stdout, err: os.Stderr, terminal: isTerminal(os.Stdout)}, os.Args[1:])
	stop()
	os.Exit(code)
}
