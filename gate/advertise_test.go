package gate

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/naming"
)

// addrs reads a list of addresses.
func addrs(all ...string) (out []netip.Addr) {
	for _, a := range all {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// fake is a machine with these routes ("" for none) and interfaces.
func fake(route4, route6 string, faces ...iface) host {
	return host{
		route: func(network, _ string) (netip.Addr, error) {
			r := map[string]string{"udp4": route4, "udp6": route6}[network]
			if r == "" {
				return netip.Addr{}, errors.New("no route")
			}
			return netip.MustParseAddr(r), nil
		},
		interfaces: func() ([]iface, error) { return faces, nil },
		lookup: func(_ context.Context, name string) ([]netip.Addr, error) {
			switch name {
			case "pod.svc":
				return addrs("10.9.9.9"), nil
			case "slow.svc":
				return nil, &net.DNSError{Name: name, IsTimeout: true}
			case "here":
				return addrs("127.0.1.1"), nil
			case "local":
				return addrs("::1", "fe80::1"), nil
			case "both":
				return addrs("127.0.1.1", "10.9.9.9"), nil
			}
			return nil, &net.DNSError{Name: name, IsNotFound: true}
		},
	}
}

// named is a listener that tells its name.
type named string

func (named) Network() string  { return "tcp" }
func (n named) String() string { return string(n) }

func TestAdvertise(t *testing.T) {
	t.Parallel()
	docker := iface{"docker0", addrs("172.17.0.1")}
	eth := iface{"eth0", addrs("fe80::1", "169.254.3.3", "10.0.0.5", "2001:db8:1::5")}
	usual := fake("10.0.0.5", "", docker, eth)
	for _, c := range []struct {
		name    string
		host    host
		listen  net.Addr
		process string // Options.Advertise
		spec    string // Spec.Advertise
		refuse  bool   // RefuseLoopback
		want    string
		err     string
	}{
		{name: "the listener's own", host: usual, listen: tcp("10.1.1.1", 80), want: "10.1.1.1:80"},
		{name: "its own, IPv6", host: usual, listen: tcp("2001:db8::7", 80), want: "[2001:db8::7]:80"},
		{name: "its own, loopback", host: usual, listen: tcp("127.0.0.1", 80), want: "127.0.0.1:80"},
		{name: "loopback refused", host: usual, listen: tcp("127.0.0.1", 80), refuse: true, err: "loopback"},
		{name: "IPv6 loopback refused", host: usual, listen: tcp("::1", 80), refuse: true, err: "loopback"},
		{name: "loopback by name refused", host: usual, spec: "localhost:80", refuse: true, err: "loopback"},
		{name: "mapped loopback refused", host: usual, spec: "[::ffff:127.0.0.1]:80", refuse: true, err: "loopback"},
		{name: "by the route", host: usual, listen: tcp("0.0.0.0", 80), want: "10.0.0.5:80"},
		{name: "by the route, any family", host: usual, listen: tcp("::", 80), want: "10.0.0.5:80"},
		{name: "by the route, no host", host: usual, listen: &net.TCPAddr{Port: 80}, want: "10.0.0.5:80"},
		{name: "IPv6 alone", host: fake("", "2001:db8:1::5", eth), listen: tcp("::", 80), want: "[2001:db8:1::5]:80"},
		{name: "IPv6 alone and an IPv4 listener", host: fake("", "2001:db8:1::5", iface{"eth0", addrs("2001:db8:1::5")}), listen: tcp("0.0.0.0", 80), want: "127.0.0.1:80"},
		{name: "the route leads over a bridge", host: fake("172.17.0.1", "", docker, eth), listen: tcp("0.0.0.0", 80), want: "10.0.0.5:80"},
		{name: "the route is link-local", host: fake("169.254.3.3", "", docker, eth), listen: tcp("0.0.0.0", 80), want: "10.0.0.5:80"},
		{name: "no route", host: fake("", "", docker, eth), listen: tcp("0.0.0.0", 80), want: "10.0.0.5:80"},
		{name: "no route, IPv6 only", host: fake("", "", iface{"eth0", addrs("fe80::1", "2001:db8:1::5")}), listen: tcp("::", 80), want: "[2001:db8:1::5]:80"},
		{name: "bridges alone", host: fake("", "", docker), listen: tcp("0.0.0.0", 80), want: "127.0.0.1:80"},
		{name: "bridges alone, loopback refused", host: fake("", "", docker), listen: tcp("0.0.0.0", 80), refuse: true, err: "no interface"},

		{name: "host and port", host: usual, process: "10.2.2.2:99", want: "10.2.2.2:99"},
		{name: "host alone", host: usual, process: "10.2.2.2", listen: tcp("0.0.0.0", 80), want: "10.2.2.2:80"},
		{name: "IPv6 host alone", host: usual, process: "2001:db8::9", listen: tcp("0.0.0.0", 80), want: "[2001:db8::9]:80"},
		{name: "IPv6 host in brackets", host: usual, process: "[2001:db8::9]", listen: tcp("0.0.0.0", 80), want: "[2001:db8::9]:80"},
		{name: "IPv6 in another spelling", host: usual, process: "[2001:0db8:0:0::9]:99", want: "[2001:db8::9]:99"},
		{name: "IPv4 inside IPv6", host: usual, process: "[::ffff:10.2.2.2]:99", want: "10.2.2.2:99"},
		{name: "a typo", host: usual, spec: "10.0.0.256:99", err: "looks like an IP address"},
		{name: "port alone", host: usual, process: ":99", listen: tcp("0.0.0.0", 80), want: "10.0.0.5:99"},
		{name: "port alone, listener's host", host: usual, process: ":99", listen: tcp("10.1.1.1", 80), want: "10.1.1.1:99"},
		{name: "the spec goes first", host: usual, process: "10.2.2.2:99", spec: "10.3.3.3", listen: tcp("0.0.0.0", 80), want: "10.3.3.3:80"},
		{name: "a name", host: usual, process: "pod.svc:99", want: "pod.svc:99"},
		{name: "a name alone", host: usual, process: "pod.svc", listen: tcp("0.0.0.0", 80), want: "pod.svc:80"},
		{name: "a name that can't be looked up now", host: usual, process: "slow.svc:99", want: "slow.svc:99"},
		{name: "a name that is loopback here", host: usual, process: "here:99", want: "here:99"},
		{name: "a name that is loopback here, refused", host: usual, process: "here:99", refuse: true, err: "127.0.1.1"},
		{name: "a listener's name that is loopback here, refused", host: usual, listen: named("here:99"), refuse: true, err: "127.0.1.1"},
		{name: "a name that is loopback and link-local here, refused", host: usual, process: "local:99", refuse: true, err: "::1"},
		{name: "a name that is loopback among others", host: usual, process: "both:99", refuse: true, want: "both:99"},
		{name: "a name that can't be looked up now, loopback refused", host: usual, process: "slow.svc:99", refuse: true, want: "slow.svc:99"},
		{name: "a name that is not there, yet", host: usual, process: "typo.svc:99", want: "typo.svc:99"},
		{name: "a name that is not there, yet, loopback refused", host: usual, process: "typo.svc:99", refuse: true, want: "typo.svc:99"},
		{name: "host alone without a listener", host: usual, process: "10.2.2.2", err: "no listening address"},
		{name: "link-local by hand", host: usual, spec: "169.254.1.1:80", err: "link-local"},
		{name: "unspecified by hand", host: usual, spec: "0.0.0.0", err: "unspecified"},
		{name: "port 0", host: usual, spec: "10.0.0.1:0", err: "port"},
		{name: "no port after the colon", host: usual, spec: "10.0.0.1:", err: "port"},
		{name: "a port too high", host: usual, spec: "10.0.0.1:65536", err: "port"},
		{name: "two colons", host: usual, spec: "a:b:c", err: "it is no address"},
		{name: "spaces", host: usual, spec: " 10.0.0.1:80", err: "malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newWorld(t).process(func(o *Options) { o.Advertise, o.RefuseLoopback = c.process, c.refuse })
			defer p.close()
			p.gate.host = c.host
			got, err := p.gate.advertise(Spec{Service: service, Listen: c.listen, Advertise: c.spec})
			switch {
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Errorf("%v, %v; want an error that says %q", got, err, c.err)
			case c.err == "" && (err != nil || got.addr != c.want):
				t.Errorf("%v, %v; want %s", got, err, c.want)
			case c.err == "" && got.from == "":
				t.Error("nothing said about where it comes from")
			}
		})
	}
}

// TestThisMachine asks the real one, which may have no network at all.
func TestThisMachine(t *testing.T) {
	t.Parallel()
	ip, from, err := machine().choose(true, false)
	if err != nil || !ip.IsValid() || ip.IsUnspecified() || ip.IsLinkLocalUnicast() {
		t.Errorf("%v from %s: %v", ip, from, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := machine().lookup(ctx, "localhost"); err != nil {
		t.Error(err)
	}
}

func FuzzParseAdvertise(f *testing.F) {
	for _, s := range []string{"", "10.0.0.1:80", "host", ":80", "[::1]", "::1", "a:b:c", "fe80::1%eth0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		hp, err := parseAdvertise("x", s)
		if check := CheckAdvertise(s); (check == nil) != (err == nil) || check != nil && !errors.Is(check, naming.ErrInvalid) {
			t.Errorf("%q: %v, and CheckAdvertise says %v", s, err, check)
		}
		if err != nil {
			return
		}
		if s != "" && hp.host == "" && hp.port == "" {
			t.Errorf("%q says nothing", s)
		}
		if strings.ContainsAny(hp.host, "/[] ") {
			t.Errorf("%q: host %q", s, hp.host)
		}
	})
}
