package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

func newOnline(a *app) *cobra.Command {
	var noWait bool
	c := &cobra.Command{
		Use:   "online <service> <host:port>",
		Short: "Take 'muster offline' back",
		Long: "Take 'muster offline' back. The instance serves again if its probes pass; the command shows its state once it has\n" +
			"heard of it. It succeeds without doing anything where the instance is not offline.",
		Args: cobra.ExactArgs(2),
		RunE: does(func(ctx context.Context, args []string) error {
			return a.with(ctx, func(ctx context.Context, d *etcd.Driver, ns naming.Namespace) error {
				service, addr := args[0], args[1]
				was, err := d.SetOnline(ctx, service, addr)
				if err != nil {
					return err
				}
				if !was {
					_, err := fmt.Fprintf(a.out, "%s of %s in %s was not offline\n", addr, service, ns)
					return err
				}
				now := "gone"
				if !noWait {
					err := await(ctx, d, service, addr, func(m *etcd.FleetMember) bool {
						if m != nil {
							now = m.Status.State
						}
						return m == nil || now != health.Offline.String()
					})
					if err != nil {
						return fmt.Errorf("the order is taken back, but %s of %s has not heard of it yet: %w", addr, service, err)
					}
					_, err = fmt.Fprintf(a.out, "%s of %s in %s is online: %s\n", addr, service, ns, printable(now))
					return err
				}
				_, err = fmt.Fprintf(a.out, "%s of %s in %s is online\n", addr, service, ns)
				return err
			})
		}),
	}
	c.Flags().BoolVar(&noWait, "no-wait", false, "don't wait until the instance has heard of it")
	return c
}
