package naming

import (
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// DefaultWeight is the weight of an instance that names none, as in Kitex.
	DefaultWeight = 10

	// MaxWeight bounds what a registry's value can ask of a client: balancers add weights up.
	MaxWeight = 1_000_000

	// TagPrefix is Muster's own: tags that begin with it carry the stamp and marks, and are refused from users.
	TagPrefix = "muster."

	maxService = 253
)

// Instance is one address of one service.
type Instance struct {
	// Service is the name that clients look up.
	Service string
	// Network is "tcp" where it is empty.
	Network string
	// Addr is host:port, the host an IP address or a name.
	Addr string
	// Weight is relative to the other instances'; 0 means [DefaultWeight].
	Weight int
	// Tags are the user's own. Drivers add theirs on the way out and take them off on the way in.
	Tags map[string]string

	// ID tells two processes at one address apart. It is made anew whenever a process registers; instances that something
	// else than Muster registered have none.
	ID string
	// Degraded says that the instance is unfit but serves, because too many are unfit.
	Degraded bool
}

// Equal reports whether i and o would be balanced, called and shown alike.
func (i *Instance) Equal(o *Instance) bool {
	return i == o || i.Service == o.Service && i.Network == o.Network && i.Addr == o.Addr && i.Weight == o.Weight &&
		i.ID == o.ID && i.Degraded == o.Degraded && maps.Equal(i.Tags, o.Tags)
}

// Normalize returns i with its defaults filled in, or an error that wraps [ErrInvalid] and names the field.
func (i Instance) Normalize() (Instance, error) {
	if i.Network == "" {
		i.Network = "tcp"
	}
	if i.Weight == 0 {
		i.Weight = DefaultWeight
	}
	if err := CheckService(i.Service); err != nil {
		return i, err
	}
	if err := CheckAddr(i.Addr); err != nil {
		return i, err
	}
	if i.Weight < 0 || i.Weight > MaxWeight {
		return i, fmt.Errorf("%w: weight %d of %s: want 1 to %d", ErrInvalid, i.Weight, i.Service, MaxWeight)
	}
	for k := range i.Tags {
		if strings.HasPrefix(k, TagPrefix) {
			return i, fmt.Errorf("%w: tag %q of %s: names that begin with %q are Muster's own", ErrInvalid, clip(k), i.Service, TagPrefix)
		}
	}
	return i, nil
}

// CheckService returns an error unless s can name a service: 1 to 253 bytes of UTF-8 without '/' and control characters.
func CheckService(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: the service name is empty", ErrInvalid)
	case len(s) > maxService:
		return fmt.Errorf("%w: service name %q: %d bytes, at most %d", ErrInvalid, clip(s), len(s), maxService)
	case strings.Contains(s, "/"):
		return fmt.Errorf("%w: service name %q: '/' separates the parts of a key; use '.' or '-'", ErrInvalid, clip(s))
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%w: service name %q: control characters and broken UTF-8 can't stand in it", ErrInvalid, clip(s))
	}
	return nil
}

// CheckAddr returns an error unless addr is a host and a port that another machine could dial: the port 1 to 65535, the
// host not empty, not unspecified, not link-local and without '/'. Loopback is allowed here; the gate decides about it.
func CheckAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%w: address %q: want host:port", ErrInvalid, clip(addr))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("%w: address %q: the port must be 1 to 65535", ErrInvalid, clip(addr))
	}
	if host == "" || len(host) > maxService || strings.ContainsAny(host, "/ \t\r\n") || strings.ContainsFunc(host, unicode.IsControl) || !utf8.ValidString(host) {
		return fmt.Errorf("%w: address %q: the host is missing or malformed", ErrInvalid, clip(addr))
	}
	if plain := net.JoinHostPort(host, port); plain != addr {
		return fmt.Errorf("%w: address %q: write it as %q", ErrInvalid, clip(addr), clip(plain))
	}
	bare, _, _ := strings.Cut(host, "%")
	ip := net.ParseIP(bare)
	switch {
	case ip == nil && (strings.Contains(host, ":") || endsInNumber(host)):
		return fmt.Errorf("%w: address %q: the host looks like an IP address and is none", ErrInvalid, clip(addr))
	case ip == nil:
		return nil // a name
	case ip.IsUnspecified():
		return fmt.Errorf("%w: address %q is unspecified: nobody can dial it", ErrInvalid, addr)
	case ip.IsLinkLocalUnicast() || ip.IsMulticast():
		return fmt.Errorf("%w: address %q is link-local or multicast: other machines can't dial it", ErrInvalid, addr)
	}
	return nil
}

// endsInNumber reports whether the last label of a host is a number, which no name's is.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	return last == "" || strings.Trim(last, "0123456789") == ""
}
