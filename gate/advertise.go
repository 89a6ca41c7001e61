package gate

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/muster-go/muster/naming"
)

// processWide is where an address comes from that holds for every service of the process.
const processWide = "Options.Advertise (MUSTER_ADVERTISE_ADDR or KITEX_*_TO_REGISTRY)"

// hint is what to do about an address that does not fit.
const hint = "set MUSTER_ADVERTISE_ADDR, or Spec.Advertise, to what other machines can dial"

// hostPort is an advertised address; what is empty in it is still to be derived.
type hostPort struct{ host, port string }

// advertised is the address that was chosen, and by what.
type advertised struct{ addr, from string }

// parseAdvertise reads "host:port", "host" or ":port". The field is the one that the error names.
func parseAdvertise(field, s string) (hostPort, error) {
	if s == "" {
		return hostPort{}, nil
	}
	hp, why := readAdvertise(s)
	if why != "" {
		return hostPort{}, fmt.Errorf("gate: %w: %s is %q: %s; want host:port, host or :port", naming.ErrInvalid, field, s, why)
	}
	return hp, nil
}

// CheckAdvertise returns an error that wraps naming.ErrInvalid where s can't be an advertised address, whatever the
// listener's is. Empty is one.
func CheckAdvertise(s string) error {
	if _, why := readAdvertise(s); s != "" && why != "" {
		return fmt.Errorf("%w: %q: %s; want host:port, host or :port", naming.ErrInvalid, s, why)
	}
	return nil
}

// readAdvertise returns what s says, or why it says nothing.
func readAdvertise(s string) (_ hostPort, why string) {
	if bare := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"); !strings.Contains(s, ":") || isIP(bare) {
		if err := naming.CheckAddr(net.JoinHostPort(bare, "1")); err != nil {
			return hostPort{}, tail(err)
		}
		return hostPort{host: bare}, ""
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return hostPort{}, "it is no address"
	}
	check := host
	if host == "" {
		check = "any"
	}
	if err := naming.CheckAddr(net.JoinHostPort(check, port)); err != nil {
		return hostPort{}, tail(err)
	}
	return hostPort{host, port}, ""
}

// tail returns what is wrong without what wraps it.
func tail(err error) string {
	return strings.TrimPrefix(err.Error(), naming.ErrInvalid.Error()+": ")
}

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// advertise returns the address that clients of a service are told to dial.
func (g *Gate) advertise(s Spec) (advertised, error) {
	field, text := "Spec.Advertise", s.Advertise
	if text == "" {
		field, text = processWide, g.o.Advertise
	}
	hp, err := parseAdvertise(field, text)
	if err != nil {
		return advertised{}, err
	}
	from := field
	if hp.host == "" || hp.port == "" {
		if hp, from, err = g.fromListener(s, hp, field); err != nil {
			return advertised{}, err
		}
	}
	if ip, err := netip.ParseAddr(hp.host); err == nil {
		hp.host = ip.Unmap().String() // one address is one key, however it was written
	}
	addr := net.JoinHostPort(hp.host, hp.port)
	if err := naming.CheckAddr(addr); err != nil {
		return advertised{}, fmt.Errorf("gate: %s, from %s: %w; %s", s.Service, from, err, hint)
	}
	if err := g.checkHost(s.Service, hp.host, from); err != nil {
		return advertised{}, err
	}
	return advertised{addr, from}, nil
}

// fromListener fills in what is not advertised by hand.
func (g *Gate) fromListener(s Spec, hp hostPort, field string) (hostPort, string, error) {
	if s.Listen == nil {
		return hp, "", fmt.Errorf("gate: %w: %s has no listening address, and %s does not name host and port; %s",
			naming.ErrInvalid, s.Service, field, hint)
	}
	host, port, err := net.SplitHostPort(s.Listen.String())
	if err != nil {
		return hp, "", fmt.Errorf("gate: %w: %s listens on %s %q, which other machines can't dial; %s",
			naming.ErrInvalid, s.Service, s.Listen.Network(), s.Listen.String(), hint)
	}
	if hp.port == "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return hp, "", fmt.Errorf("gate: %w: the port of %s's listener (%s) is not known yet: register when it listens; or %s",
				naming.ErrInvalid, s.Service, s.Listen, hint)
		}
		hp.port = port
	}
	if hp.host != "" {
		return hp, field, nil
	}
	ip, notIP := netip.ParseAddr(host)
	if host != "" && (notIP != nil || !ip.IsUnspecified()) {
		hp.host = host
		return hp, "the listener", nil //nolint:nilerr // a host that is no IP address is a name
	}
	ip, from, err := g.host.choose(notIP == nil && ip.Is4(), g.o.RefuseLoopback)
	if err != nil {
		return hp, "", fmt.Errorf("gate: %w: %s listens on every address of this machine (%s), and %w; %s",
			naming.ErrInvalid, s.Service, s.Listen, err, hint)
	}
	hp.host = ip.String()
	return hp, from, nil
}

// checkHost refuses loopback where that is asked for. A name that does not resolve is no more than logged: Kubernetes, for
// one, publishes a pod's only once the pod is ready. A name of which this machine knows nothing
// but loopback may be another machine's answer elsewhere (Debian has 127.0.1.1 for the machine's own name), but nothing
// here can tell, and a client for which it is loopback, too, would call whatever listens on that port beside it.
func (g *Gate) checkHost(service, host, from string) error {
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Unmap().IsLoopback() && g.o.RefuseLoopback {
			return fmt.Errorf("gate: %w: %s would be advertised as %s (from %s), which is loopback, in namespace %q; %s",
				naming.ErrInvalid, service, host, from, g.o.Namespace.Name(), hint)
		}
		return nil
	}
	if g.o.RefuseLoopback && (host == "localhost" || strings.HasSuffix(host, ".localhost")) {
		return fmt.Errorf("gate: %w: %s would be advertised as %s (from %s), which is loopback, in namespace %q; %s",
			naming.ErrInvalid, service, host, from, g.o.Namespace.Name(), hint)
	}
	ips, err := g.names.resolve(g.host, host)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		g.log.Error("the advertised name does not resolve here, yet; who finds it neither can't call this instance; "+hint,
			"service", service, "host", host, "from", from)
	case err != nil:
		g.log.Warn("could not look the advertised name up", "service", service, "host", host, "error", err)
	case !usable(ips) && g.o.RefuseLoopback:
		return fmt.Errorf("gate: %w: %s would be advertised as %s (from %s), which this machine resolves to %v, in namespace %q: "+
			"advertise the address, or a name that means the same here as on other machines",
			naming.ErrInvalid, service, host, from, ips, g.o.Namespace.Name())
	case !usable(ips):
		g.log.Warn("the advertised name resolves to loopback or link-local addresses here; see that clients get another answer",
			"service", service, "host", host)
	}
	return nil
}

func usable(ips []netip.Addr) bool {
	for _, ip := range ips {
		if global(ip.Unmap()) {
			return true
		}
	}
	return false
}
