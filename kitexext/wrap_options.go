package kitexext

import (
	"log/slog"
	"time"
)

// Defaults of [WrapRegistry] and [WrapResolver].
const (
	// DefaultCallLimit is how long a call of a foreign registry may take before it is given up.
	DefaultCallLimit = 30 * time.Second
	// DefaultPollInterval is how often a foreign resolver is asked, as Kitex itself would.
	DefaultPollInterval = 5 * time.Second
	// DefaultPollTimeout bounds one poll.
	DefaultPollTimeout = 3 * time.Second
)

// RegistrarOption changes what [WrapRegistry] does.
type RegistrarOption interface{ applyRegistrar(*registrarOptions) }

// WatcherOption changes what [WrapResolver] does.
type WatcherOption interface{ applyWatcher(*watcherOptions) }

type registrarOptions struct {
	limit time.Duration
	log   *slog.Logger
}

type watcherOptions struct {
	interval, timeout time.Duration
	scope             string
	empty             func(error) bool
	log               *slog.Logger
}

type registrarOption func(*registrarOptions)

func (f registrarOption) applyRegistrar(o *registrarOptions) { f(o) }

type watcherOption func(*watcherOptions)

func (f watcherOption) applyWatcher(o *watcherOptions) { f(o) }

// LoggerOption is an option of both [WrapRegistry] and [WrapResolver].
type LoggerOption struct{ log *slog.Logger }

func (l LoggerOption) applyRegistrar(o *registrarOptions) { o.log = l.log }
func (l LoggerOption) applyWatcher(o *watcherOptions)     { o.log = l.log }

// Logger is where the log goes. The default, and nil, is slog.Default().
func Logger(l *slog.Logger) LoggerOption { return LoggerOption{l} }

// CallLimit is how long one Register or Deregister of the foreign registry may take before it is given up, so that others
// can be called. It does not bound what a server waits for, which is much less. Default [DefaultCallLimit], which 0 or
// less means, too.
func CallLimit(d time.Duration) RegistrarOption {
	return registrarOption(func(o *registrarOptions) { o.limit = orDefault(d, DefaultCallLimit) })
}

// PollInterval is how long to wait between two polls of one service, with 10 % of jitter. Default [DefaultPollInterval],
// which 0 or less means, too.
func PollInterval(d time.Duration) WatcherOption {
	return watcherOption(func(o *watcherOptions) { o.interval = orDefault(d, DefaultPollInterval) })
}

// PollTimeout bounds one poll. Default [DefaultPollTimeout], which 0 or less means, too.
func PollTimeout(d time.Duration) WatcherOption {
	return watcherOption(func(o *watcherOptions) { o.timeout = orDefault(d, DefaultPollTimeout) })
}

// PollScope says in a word or two what makes the resolver's answers its own: its endpoints, prefix and environment, without
// a secret. Two watchers of one name and scope are taken to give the same answers, and a view that was stored on disk is
// found again under it. The default is an id that is new for each WrapResolver, since the resolver's name alone tells
// nothing ("etcd", whatever the cluster and the prefix).
func PollScope(scope string) WatcherOption {
	return watcherOption(func(o *watcherOptions) { o.scope = scope })
}

// NoInstance tells which errors of the resolver mean that the registry has answered and lists nobody. Without it each error
// is taken for an outage, and the last view stays: registry-etcd, to name one, returns an error where a service has no
// instance, so that the last one of a service is never seen to go. For it:
//
//	kitexext.NoInstance(func(err error) bool { return strings.HasPrefix(err.Error(), "no instance remains") })
func NoInstance(is func(error) bool) WatcherOption {
	return watcherOption(func(o *watcherOptions) { o.empty = is })
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}
