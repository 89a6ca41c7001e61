package gate

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// host is what a gate asks the machine; tests put their own answers in.
type host struct {
	// route returns the local address from which a target would be reached. It sends nothing.
	route func(network, target string) (netip.Addr, error)
	// interfaces are those that are up, in the system's order.
	interfaces func() ([]iface, error)
	lookup     func(ctx context.Context, name string) ([]netip.Addr, error)
}

type iface struct {
	name  string
	addrs []netip.Addr
}

// machine returns the machine that this runs on.
func machine() host {
	return host{
		route:      route,
		interfaces: interfaces,
		lookup: func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		},
	}
}

// lookedUp is the last look-up of an advertised name. A server that has several names registers each of them, all at one
// host: it is asked for once.
type lookedUp struct {
	mu   sync.Mutex // held while looking up
	name string
	at   time.Time
	ips  []netip.Addr
	err  error
}

// lookupLimit bounds a look-up, since Register is called with a framework's lock held; lookupAge is how old the last one may
// be.
const lookupLimit, lookupAge = time.Second, 5 * time.Second

// resolve looks a name up, unless that has just been done.
func (l *lookedUp) resolve(h host, name string) ([]netip.Addr, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.name != name || time.Since(l.at) > lookupAge {
		ctx, cancel := context.WithTimeout(context.Background(), lookupLimit)
		defer cancel()
		l.ips, l.err = h.lookup(ctx, name)
		l.name, l.at = name, time.Now()
	}
	return l.ips, l.err
}

// targets are addresses that no machine has (RFC 5737, RFC 3849): what leads to them is the default route.
func targets(only4 bool) [][2]string {
	all := [][2]string{{"udp4", "192.0.2.1:9"}, {"udp6", "[2001:db8::1]:9"}}
	if only4 {
		return all[:1]
	}
	return all
}

// choose returns the address from which this machine reaches others, and how it was found: the default route's, or else the
// first of an interface that is no bridge, or else, unless that is refused, loopback.
func (h host) choose(only4, refuseLoopback bool) (netip.Addr, string, error) {
	faces, err := h.interfaces()
	if err != nil {
		faces = nil
	}
	for _, t := range targets(only4) {
		ip, err := h.route(t[0], t[1])
		if ip = ip.Unmap(); err == nil && global(ip) && !bridged(faces, ip) {
			return ip, "the default route", nil
		}
	}
	for _, want4 := range []bool{true, false} {
		for _, f := range faces {
			if bridge(f.name) || only4 && !want4 {
				continue
			}
			for _, ip := range f.addrs {
				if ip = ip.Unmap(); ip.Is4() == want4 && global(ip) {
					return ip, "interface " + f.name, nil
				}
			}
		}
	}
	if refuseLoopback {
		return netip.Addr{}, "", errors.New("no interface has an address that other machines could dial")
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1}), "loopback, as there is nothing else", nil
}

func global(ip netip.Addr) bool {
	return ip.IsValid() && ip.IsGlobalUnicast() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast()
}

// bridge reports whether an interface of that name leads to containers or virtual machines on this machine alone.
func bridge(name string) bool {
	for _, prefix := range []string{"docker", "br-", "veth", "virbr", "lxcbr", "lxdbr", "podman", "cni", "flannel", "cali", "kube-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func bridged(faces []iface, ip netip.Addr) bool {
	for _, f := range faces {
		for _, a := range f.addrs {
			if a.Unmap() == ip {
				return bridge(f.name)
			}
		}
	}
	return false
}

func route(network, target string) (netip.Addr, error) {
	c, err := net.Dial(network, target)
	if err != nil {
		return netip.Addr{}, err
	}
	defer c.Close()
	ap, err := netip.ParseAddrPort(c.LocalAddr().String())
	return ap.Addr(), err
}

func interfaces() ([]iface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var faces []iface
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		f := iface{name: i.Name}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				f.addrs = append(f.addrs, p.Addr())
			}
		}
		faces = append(faces, f)
	}
	return faces, nil
}
