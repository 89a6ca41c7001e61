package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

func newLs(a *app) *cobra.Command {
	var o output
	c := &cobra.Command{
		Use:   "ls [service]",
		Short: "List the instances of a service, or of all",
		Long: "List the instances of a service, or of all, in the namespace and group of the environment.\n\n" +
			"STATE is what the instance says of itself: waiting, serving, withdrawn, held, offline or draining; - where something\n" +
			"else than Muster registered it. LISTED is whether clients are told of it: yes, degraded (unfit, but needed) or no.\n" +
			"FAILING are its probes that don't pass. SINCE is when it registered.",
		Args: cobra.MaximumNArgs(1),
		RunE: does(func(ctx context.Context, args []string) error {
			service := ""
			if len(args) > 0 {
				service = args[0]
			}
			return a.with(ctx, func(ctx context.Context, d *etcd.Driver, ns naming.Namespace) error {
				f, err := d.Fleet(ctx, service)
				if err != nil {
					return err
				}
				if len(f.Members) == 0 && service != "" {
					return fail(exitNone, "no instance of %s in %s", service, ns)
				}
				return o.list(a.out, ns, f)
			})
		}),
	}
	o.flags(c)
	return c
}
