package muster

import (
	"cmp"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

// Config is everything that the environment says. Get one from [ParseEnv], change what has to be changed, and pass it to
// [New]. One that is made by hand does not get the environment's defaults: each field says what its zero value means.
type Config struct {
	// Namespace is the environment and group that the process registers in and resolves from. Required.
	Namespace naming.Namespace
	// Protection guards namespaces against being entered by mistake. Nil Names mean naming.DefaultProtected; for none, say
	// so with an empty list.
	Protection naming.Protection
	// Etcd says how to reach the registry. Its Namespace and Logger are set by New; empty Endpoints, Root and LeaseTTL mean
	// etcd.DefaultEndpoint, etcd.DefaultRoot and etcd.DefaultLeaseTTL.
	Etcd etcd.Config
	// Advertise is the address to register: host:port, host, or :port. What it leaves out is derived from the listener:
	// everything, where it is empty.
	Advertise string
	// DrainDelay is how long an instance goes on serving after it has left the registry. Zero means none, not the
	// environment's default of 1 s, so that clients may still call a server that has stopped; a negative one is an error.
	DrainDelay time.Duration
	// Floor is the least part of a service's roster that keeps serving. The zero Floor is strict, not the environment's
	// default of 50%: each unfit instance withdraws, even the last one. See naming.Percent and naming.Count.
	Floor naming.Floor
	// CacheDir holds copies of the last views, so that a client can start while etcd is away. Empty means none.
	CacheDir string
	// Version is the program's own, shown on the roster. Default: the main module's, from the build information.
	Version string
	// Logger gets every log line of Muster's. Nil means slog.Default().
	Logger *slog.Logger
}

// complete fills in what empty fields mean, here and not only where they are used, so that the configuration which is
// logged is the effective one.
func (c Config) complete() Config {
	if c.Protection.Names == nil { // a Config made by hand is no way around
		c.Protection.Names = naming.DefaultProtected()
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Version == "" {
		if info, ok := debug.ReadBuildInfo(); ok {
			c.Version = info.Main.Version
		}
	}
	e := &c.Etcd
	e.Namespace, e.Logger = c.Namespace, c.Logger
	if len(e.Endpoints) == 0 {
		e.Endpoints = []string{etcd.DefaultEndpoint}
	}
	e.Root = cmp.Or(e.Root, etcd.DefaultRoot)
	e.LeaseTTL = cmp.Or(e.LeaseTTL, etcd.DefaultLeaseTTL)
	return c
}

// LogValue shows the effective configuration, without secrets.
func (c Config) LogValue() slog.Value {
	e := c.Etcd
	attrs := []slog.Attr{
		slog.String("namespace", c.Namespace.Name()),
		slog.String("group", c.Namespace.Group()),
		slog.Any("protected", c.Protection.Names),
		slog.Bool("confirmed", c.Protection.Confirm == c.Namespace.Name()),
		slog.String("key_root", e.Root),
		slog.Any("etcd_endpoints", e.Endpoints),
		slog.Duration("lease_ttl", e.LeaseTTL),
		slog.Duration("drain_delay", c.DrainDelay),
		slog.String("floor", c.Floor.String()),
	}
	for _, o := range []struct{ key, value string }{
		{"etcd_username", e.Username},
		{"etcd_password", mask(e.Password)},
		{"etcd_password_file", e.PasswordFile},
		{"etcd_ca_file", e.CAFile},
		{"etcd_cert_file", e.CertFile},
		{"etcd_key_file", e.KeyFile},
		{"advertise_addr", c.Advertise},
		{"cache_dir", c.CacheDir},
	} {
		if o.value != "" {
			attrs = append(attrs, slog.String(o.key, o.value))
		}
	}
	return slog.GroupValue(attrs...)
}

func mask(secret string) string {
	if secret == "" {
		return ""
	}
	return "***"
}
