package muster

import (
	"log/slog"
	"time"

	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

// Config is everything that the environment says. Get one from [ParseEnv], change what has to be changed, and pass it to
// [New].
type Config struct {
	// Namespace is the environment and group that the process registers in and resolves from.
	Namespace naming.Namespace
	// Protection guards namespaces against being entered by mistake. Nil Names mean naming.DefaultProtected; for none, say
	// so with an empty list.
	Protection naming.Protection
	// Etcd says how to reach the registry. Its Namespace and Logger are set by New.
	Etcd etcd.Config
	// Advertise is the address to register: host:port, host, or :port. What it leaves out is derived from the listener.
	Advertise string
	// DrainDelay is how long an instance goes on serving after it has left the registry.
	DrainDelay time.Duration
	// Floor is the least part of a service's roster that keeps serving.
	Floor naming.Floor
	// CacheDir holds copies of the last views, so that a client can start while etcd is away. Empty means none.
	CacheDir string
	// Version is the program's own, shown on the roster. Default: the main module's, from the build information.
	Version string
	// Logger gets every log line of Muster's. Nil means slog.Default().
	Logger *slog.Logger
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
