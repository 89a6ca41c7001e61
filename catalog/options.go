package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/muster-go/muster/naming"
)

// Defaults of Options.
const (
	DefaultFirstWait   = time.Second
	DefaultIdle        = 10 * time.Minute
	DefaultMaxWatches  = 1000
	DefaultSuspectFor  = 2 * time.Minute
	DefaultDialTimeout = 2 * time.Second
	DefaultDials       = 16
	DefaultCacheMaxAge = 24 * time.Hour
)

// Options configure a Catalog. The zero value means the defaults; a negative number is an error.
type Options struct {
	// FirstWait bounds how long a Lookup waits for the first view of a service, counted from the start of its watch.
	// Default 1 s. Lookups that come later than that, while there is still no view, fail at once.
	FirstWait time.Duration
	// Idle is how long a watch outlives its last lookup and its last subscriber; it ends after Idle to 1.25 x Idle.
	// Default 10 min. While the registry is away no watch ends; and the last view is remembered, up to CacheMaxAge, for a lookup
	// that comes when the registry is away.
	Idle time.Duration
	// MaxWatches bounds how many services are watched at a time. Default 1000. A lookup beyond it fails with ErrTooMany.
	MaxWatches int

	// SuspectFor bounds how long an instance that has lapsed among many is kept. Default 2 min. Many means more within 10 s
	// than remain, which protects nearly all of a service whose leases live for up to a minute, and fewer of longer ones.
	SuspectFor time.Duration
	// NoSuspects turns the protection off: what the registry does not list is gone at once.
	NoSuspects bool
	// DialTimeout bounds one attempt to connect to a suspect. Default 2 s.
	DialTimeout time.Duration
	// Dials bounds how many suspects of the whole catalog are dialed at a time. Default 16. Each attempt occupies its
	// place for 10 ms at least, so that there are no more than 1600 in a second. Each suspect is dialed about twice a
	// second, and with more than some hundred of them once in the round that this takes: 7 s for 10,000.
	Dials int
	// Dial connects to a suspect; nil means a net.Dialer. The connection is closed at once.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// CacheDir is where the last view of each service is kept, so that a client can start while the registry is away;
	// empty means nowhere. Files lie in a directory for the namespace and the group.
	CacheDir string
	// CacheMaxAge is the age from which on a copy is refused. Default 24 h. While the registry answers, the copy of a service
	// in use is written anew every eighth of that, and at Close, so that its age is about the time since the registry was
	// last heard.
	CacheMaxAge time.Duration
	// Namespace names the directory under CacheDir; where it is zero, a hash of the watcher's scope does.
	Namespace naming.Namespace

	// Logger gets a line when suspects are kept or given up, and when a copy is used or refused. Nil means slog.Default().
	Logger *slog.Logger
}

// Errors of Lookup and Subscribe.
var (
	// ErrNoView is wrapped where there is no view of a service yet, because the registry has not answered.
	ErrNoView = errors.New("catalog: no view")
	// ErrTooMany is wrapped where one more service would exceed Options.MaxWatches.
	ErrTooMany = errors.New("catalog: too many watches")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("catalog: closed")
)

// complete checks o and fills in the defaults.
func (o Options) complete() (Options, error) {
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"FirstWait", &o.FirstWait, DefaultFirstWait},
		{"Idle", &o.Idle, DefaultIdle},
		{"SuspectFor", &o.SuspectFor, DefaultSuspectFor},
		{"DialTimeout", &o.DialTimeout, DefaultDialTimeout},
		{"CacheMaxAge", &o.CacheMaxAge, DefaultCacheMaxAge},
	} {
		if *d.v < 0 {
			return o, fmt.Errorf("catalog: Options.%s is %v: want a positive duration, or 0 for the default of %v", d.name, *d.v, d.def)
		}
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	for _, n := range []struct {
		name string
		v    *int
		def  int
	}{
		{"MaxWatches", &o.MaxWatches, DefaultMaxWatches},
		{"Dials", &o.Dials, DefaultDials},
	} {
		if *n.v < 0 {
			return o, fmt.Errorf("catalog: Options.%s is %d: want a positive number, or 0 for the default of %d", n.name, *n.v, n.def)
		}
		if *n.v == 0 {
			*n.v = n.def
		}
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, nil
}
