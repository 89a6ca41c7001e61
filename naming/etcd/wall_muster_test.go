package etcd

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// TestMusterBehindTheWall: Muster with dev's credentials is nobody in prod, whatever it is configured to be; with prod's it
// serves there.
func TestMusterBehindTheWall(t *testing.T) {
	t.Parallel()
	node := startWalled(t)
	wall(t, node.Endpoint())
	prod := newDriver(t, node.Endpoint(), userOf("prod"), inNamespace(t, "prod"))
	m := join(t, prod, claim("user-svc", 1))
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	until(t, watched(t, newDriver(t, node.Endpoint(), userOf("prod"), inNamespace(t, "prod")), "user-svc"), "10.0.0.1:8888")
	admin := rawClient(t, node.Endpoint(), "root", "root")
	before := etcdtest.Keys(t, admin, prodDir)

	for _, c := range []struct {
		name string
		edit func(*Config)
	}{
		{"dev's user", userOf("dev")},
		{"no user", func(*Config) {}},
		{"prod's user, wrong password", func(c *Config) { c.Username, c.Password = "muster-prod", "secret-dev" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			eve := newDriver(t, node.Endpoint(), c.edit, inNamespace(t, "prod"))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			tries := map[string]func(context.Context) error{
				"Join": func(ctx context.Context) error { _, err := eve.Join(ctx, claim("user-svc", 6)); return err },
				"Watch": func(ctx context.Context) error {
					return eve.Watch(ctx, "user-svc", func(u naming.Update) { t.Errorf("sees %v of prod", u.Snapshot) })
				},
				"Fleet": func(ctx context.Context) error { _, err := eve.Fleet(ctx, ""); return err },
				"SetOffline": func(ctx context.Context) error {
					_, err := eve.SetOffline(ctx, "user-svc", "10.0.0.1:8888", "eve", time.Time{})
					return err
				},
				"SetOnline": func(ctx context.Context) error { _, err := eve.SetOnline(ctx, "user-svc", "10.0.0.1:8888"); return err },
			}
			errs := make(chan error, len(tries))
			for name, try := range tries {
				go func() {
					err := try(ctx)
					if err == nil {
						err = fmt.Errorf("%s of prod succeeded", name)
					} else {
						err = nil
					}
					errs <- err
				}()
			}
			for range tries {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			if l := eve.Link(); l.Up || l.Err == nil || !refused(l.Err) {
				t.Errorf("Link = %+v, want the refusal", l)
			} else {
				t.Log(l.Err)
			}
		})
	}
	if after := etcdtest.Keys(t, admin, prodDir); !maps.Equal(before, after) {
		t.Errorf("prod was %v\nand is %v", before, after)
	}
	if m.Err() != nil {
		t.Error(m.Err())
	}
}

// TestCertificateIsAUser: etcd takes the common name of a client's certificate for the user, so that a namespace can be walled
// off without passwords; and whoever signs certificates must know that.
func TestCertificateIsAUser(t *testing.T) {
	t.Parallel()
	ca, dev, prod := etcdtest.NewAuthority(t), newIdentity(t), newIdentity(t)
	ca.Issue(dev.cert, dev.key, "muster-dev", 10)
	ca.Issue(prod.cert, prod.key, "muster-prod", 11)
	serve := ca.Serve("")
	node := etcdtest.Start(t, func(c *embed.Config) { serve(c); cheapHash(c) })
	open := func(edit ...func(*Config)) *Roles {
		t.Helper()
		cfg := Config{Endpoints: []string{node.Endpoint()}}
		for _, e := range append(edit, withTLS(ca.CAFile, dev)) {
			e(&cfg)
		}
		r, err := OpenRoles(cfg)
		must(t, err)
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	r := open()
	p, err := r.Plan(within(t), RolesSpec{
		Users:      []RolesUser{{Namespace: "dev", Password: "unknown-to-all"}, {Namespace: "prod", Password: "unknown-to-all"}},
		EnableAuth: true, RootPassword: "root",
	})
	must(t, err)
	must(t, r.Apply(within(t), p, nil))

	d := newDriver(t, node.Endpoint(), withTLS(ca.CAFile, dev))
	must(t, join(t, d, claim("user-svc", 1)).Leave(within(t)))
	d = newDriver(t, node.Endpoint(), withTLS(ca.CAFile, prod), inNamespace(t, "prod"))
	must(t, join(t, d, claim("user-svc", 1)).Leave(within(t)))
	d = newDriver(t, node.Endpoint(), withTLS(ca.CAFile, dev), inNamespace(t, "prod"))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := d.Join(ctx, claim("user-svc", 1)); !refused(err) {
		t.Errorf("dev's certificate in prod: %v", err)
	}
	if _, err := open(func(c *Config) { c.Username, c.Password = "root", "root" }).Plan(within(t), RolesSpec{}); err != nil {
		t.Errorf("a password does not win over the certificate: %v", err)
	}
}

// TestFreshLeaseAtEachAttempt: what etcd 3.7 leaves to any user are leases without keys: that of an instance that is about to
// join can be revoked, or have a foreign key put on it, which makes it useless to its owner. The next attempt takes another.
func TestFreshLeaseAtEachAttempt(t *testing.T) {
	t.Parallel()
	node := startWalled(t)
	wall(t, node.Endpoint())
	dev := rawClient(t, node.Endpoint(), "muster-dev", "secret-dev")
	for name, meddle := range map[string]func(clientv3.LeaseID) error{
		"revoked": func(id clientv3.LeaseID) error { _, err := dev.Revoke(within(t), id); return err },
		"occupied": func(id clientv3.LeaseID) error {
			_, err := dev.Put(within(t), devKey, "x", clientv3.WithLease(id))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDriver(t, node.Endpoint(), userOf("prod"), inNamespace(t, "prod"))
			h, err := d.conn.get(within(t))
			must(t, err)
			s, err := d.session(within(t), h) // the lease of the attempt that is about to be made
			must(t, err)
			must(t, meddle(s.id))
			if m, err := d.Join(within(t), claim("user-svc", 1)); err == nil {
				t.Errorf("joined on a lease that was %s", name)
				must(t, m.Leave(within(t)))
			}
			_ = s.release(within(t), h)
			m, err := d.Join(within(t), claim("user-svc", 1))
			for err != nil && within(t).Err() == nil { // the attempt that failed gives its lease back in the background
				m, err = d.Join(within(t), claim("user-svc", 1))
			}
			must(t, err)
			must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
			must(t, m.Leave(within(t)))
		})
	}
}
