package etcd

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

// hark is a log that tells when a line with a text has been written.
type hark struct {
	slog.Handler
	text  string
	heard chan struct{}
}

func newHark(text string) hark { return hark{slog.DiscardHandler, text, make(chan struct{}, 1)} }

func (h hark) Enabled(context.Context, slog.Level) bool { return true }
func (h hark) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h hark) WithGroup(string) slog.Handler            { return h }

func (h hark) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, h.text) {
		select {
		case h.heard <- struct{}{}:
		default:
		}
	}
	return nil
}

// outlive waits until two leases without a keepalive, as long as the tests' own, have run out one after the other.
func outlive(t *testing.T, cli *clientv3.Client) {
	t.Helper()
	for range 2 {
		lease, err := cli.Grant(within(t), int64(MinLeaseTTL.Seconds()))
		must(t, err)
		put, err := cli.Put(within(t), "mayfly", "", clientv3.WithLease(lease.ID))
		must(t, err)
		r := <-cli.Watch(within(t), "mayfly", clientv3.WithRev(put.Header.Revision+1))
		must(t, r.Err())
	}
}

// TestRotatedPassword: etcd's password and the file change while the driver runs. The lease lives on, and so do the watches.
func TestRotatedPassword(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		late bool // the file changes after etcd has refused the old one
	}{{"file first", false}, {"etcd first", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			node := startAuth(t, asItIs, "dev")
			file := filepath.Join(t.TempDir(), "password")
			must(t, os.WriteFile(file, []byte("secret-dev\n"), 0o600))
			log := newHark("connecting anew")
			d := newDriver(t, node.Endpoint(), func(c *Config) {
				c.Username, c.PasswordFile, c.Logger = "dev", file, slog.New(log)
			})
			m := join(t, d, claim("user-svc", 1))
			must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
			early := watched(t, d, "user-svc")
			until(t, early, "10.0.0.1:8888")

			root := rawClient(t, node.Endpoint(), "root", "root")
			listed := root.Watch(within(t), servingKey)
			rotate := func() { must(t, os.WriteFile(file, []byte("hunter3\n"), 0o600)) }
			if !c.late {
				rotate()
			}
			_, err := root.UserChangePassword(within(t), "dev", "hunter3")
			must(t, err)
			select {
			case <-log.heard:
			case <-m.Done():
				t.Fatal("lost: ", m.Err())
			case <-within(t).Done():
				t.Fatal("the driver has not noticed")
			}
			if c.late {
				rotate()
			}
			outlive(t, root)

			if err := m.Err(); err != nil {
				t.Error("lost:", err)
			}
			select {
			case r := <-listed:
				t.Errorf("the serving key has changed: %v, %v", r.Events, r.Err())
			default:
			}
			h, err := d.conn.get(within(t))
			must(t, err)
			if h.cli.Password != "hunter3" {
				t.Error("the client has the old password")
			}
			other := join(t, d, claim("user-svc", 2))
			must(t, other.Publish(within(t), naming.Status{State: "serving"}, false))
			until(t, early, "10.0.0.1:8888", "10.0.0.2:8888")
			must(t, m.Leave(within(t)))
			must(t, other.Leave(within(t)))
			until(t, early)
		})
	}
}

// TestRotatedPasswordWithoutALease: a process that has joined nothing yet has no renewals that could be refused.
func TestRotatedPasswordWithoutALease(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(*testing.T, *Driver){
		"watch": func(t *testing.T, d *Driver) { until(t, watched(t, d, "order-svc")) },
		"join": func(t *testing.T, d *Driver) {
			ctx := within(t)
			for {
				m, err := d.Join(ctx, claim("order-svc", 1))
				if err == nil {
					must(t, m.Leave(ctx))
					return
				}
				if ctx.Err() != nil {
					t.Fatal(err)
				}
				wait(ctx, connectBase)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := startAuth(t, asItIs, "dev")
			file := filepath.Join(t.TempDir(), "password")
			must(t, os.WriteFile(file, []byte("secret-dev\n"), 0o600))
			d := newDriver(t, node.Endpoint(), func(c *Config) { c.Username, c.PasswordFile = "dev", file })
			until(t, watched(t, d, "user-svc"))
			must(t, os.WriteFile(file, []byte("hunter3\n"), 0o600))
			_, err := rawClient(t, node.Endpoint(), "root", "root").UserChangePassword(within(t), "dev", "hunter3")
			must(t, err)
			use(t, d)
		})
	}
}
