package kitexext

import (
	"maps"
	"slices"
	"time"

	"github.com/muster-go/muster/naming"
)

// RegistryOption changes how [WithRegistry] registers one server. Where an option and Kitex's own settings say different
// things, the server ends with an error that names both.
type RegistryOption interface{ applyRegistry(*registryOptions) }

type registryOptions struct {
	service   string
	further   []string
	weight    int
	tags      map[string]string
	advertise string
	floor     *naming.Floor
	drain     *time.Duration
}

type registryOption func(*registryOptions)

func (f registryOption) applyRegistry(o *registryOptions) { f(o) }

// Service names the service that clients look up. It is needed where neither Kitex's server.WithServerBasicInfo nor
// server.WithRegistryInfo does; Kitex's own traces and metrics then show this name, too.
func Service(name string) RegistryOption {
	return registryOption(func(o *registryOptions) { o.service = name })
}

// FurtherServices registers the same server under more names, each an instance of its own in the registry, for a server
// with several services of which each is looked up by its own name. All of them join, withdraw and drain together with
// the first.
func FurtherServices(names ...string) RegistryOption {
	return registryOption(func(o *registryOptions) { o.further = append(slices.Clip(o.further), names...) })
}

// Weight is this server's weight relative to the other instances', 1 to naming.MaxWeight. The default, and 0, is that of
// Kitex's registry info, which is 10 unless it is set.
func Weight(w int) RegistryOption {
	return registryOption(func(o *registryOptions) { o.weight = w })
}

// Tags are shown to clients, together with those of Kitex's registry or basic info. The map is copied. Keys that begin with
// naming.TagPrefix are refused.
func Tags(tags map[string]string) RegistryOption {
	tags = maps.Clone(tags)
	return registryOption(func(o *registryOptions) { o.tags = tags })
}

// Advertise is the address that clients dial: "host:port", or "host" or ":port" where the rest is the listener's. It goes
// before MUSTER_ADVERTISE_ADDR. The default is derived from the listener.
func Advertise(addr string) RegistryOption {
	return registryOption(func(o *registryOptions) { o.advertise = addr })
}

// Floor goes before the gate's own, which is MUSTER_FLOOR.
func Floor(f naming.Floor) RegistryOption {
	return registryOption(func(o *registryOptions) { o.floor = &f })
}

// DrainDelay is for how long the server goes on serving after it has left the registry. It goes before the gate's own,
// which is MUSTER_DRAIN_DELAY. 0 is none; a negative one is an error.
func DrainDelay(d time.Duration) RegistryOption {
	return registryOption(func(o *registryOptions) { o.drain = &d })
}
