package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

func newOffline(a *app) *cobra.Command {
	var last time.Duration
	var by string
	var noWait bool
	c := &cobra.Command{
		Use:   "offline <service> <host:port>",
		Short: "Take one instance out of traffic, whatever its probes say",
		Long: "Take one instance out of traffic, whatever its probes and the floor say, until 'muster online' or the end of --for.\n\n" +
			"The order is bound to the process that is at the address now: it survives restarts of etcd, lost leases and\n" +
			"reconnects, and does not hold for a new process at the address. The command returns when the instance has obeyed.",
		Args: cobra.ExactArgs(2),
		RunE: does(func(ctx context.Context, args []string) error {
			var until time.Time
			if last < 0 || last > 0 && last < time.Second {
				return fail(exitUsage, "--for %v: want at least 1s", last)
			}
			if last > 0 {
				until = time.Now().Add(last)
			}
			return a.with(ctx, func(ctx context.Context, d *etcd.Driver, ns naming.Namespace) error {
				service, addr := args[0], args[1]
				id, err := d.SetOffline(ctx, service, addr, cmp.Or(by, operator()), until)
				if err != nil {
					return err
				}
				if !noWait {
					err = await(ctx, d, service, addr, func(m *etcd.FleetMember) bool {
						return m == nil || m.ID != id || !m.Listed && m.Status.State == health.Offline.String()
					})
				}
				switch {
				case noWait:
					_, err = fmt.Fprintf(a.out, "%s of %s in %s is ordered offline\n", addr, service, ns)
					return err
				case err != nil:
					return fmt.Errorf("the order is given, but %s of %s has not obeyed yet: %w", addr, service, err)
				case last > 0:
					_, err = fmt.Fprintf(a.out, "%s of %s in %s is offline until %s\n", addr, service, ns, until.Format(time.RFC3339))
				default:
					_, err = fmt.Fprintf(a.out, "%s of %s in %s is offline\n", addr, service, ns)
				}
				return err
			})
		}),
	}
	c.Flags().DurationVar(&last, "for", 0, "end the order by itself after this time, such as 10m (default: never)")
	c.Flags().StringVar(&by, "by", "", "who gives the order (default: user@host)")
	c.Flags().BoolVar(&noWait, "no-wait", false, "don't wait until the instance has obeyed")
	return c
}

// operator names who runs the command.
func operator() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// await follows a service until one instance of it is as wanted. It is nil where it is gone.
func await(ctx context.Context, d *etcd.Driver, service, addr string, wanted func(*etcd.FleetMember) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	there := errors.New("as wanted")
	err := d.WatchFleet(ctx, service, func(f *etcd.Fleet) {
		for i := range f.Members {
			if f.Members[i].Addr == addr {
				if wanted(&f.Members[i]) {
					cancel(there)
				}
				return
			}
		}
		if wanted(nil) {
			cancel(there)
		}
	})
	if errors.Is(err, there) {
		return nil
	}
	return err
}
