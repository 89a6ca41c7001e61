package hertzext

import (
	"bytes"
	"context"
	"net/netip"
	"strings"

	"github.com/cloudwego/hertz/pkg/app"
)

// Loopback is the default [Authorizer]: it lets a caller on this machine see the full report. It goes by the connection's
// own remote address, never by what a header claims, and refuses any request with a Forwarded or X-Forwarded-* header,
// since that comes from outside through a proxy on this machine. A proxy that adds no such header can't be told from a
// local caller: set [WithAuthorizer] behind one. Unix sockets are refused for that reason, as proxies are what usually
// sits on them.
func Loopback(_ context.Context, c *app.RequestContext) bool {
	addr := c.RemoteAddr() // not ClientIP, which believes headers
	if !strings.HasPrefix(addr.Network(), "tcp") {
		return false
	}
	peer, err := netip.ParseAddrPort(addr.String())
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	forwarded := false
	c.Request.Header.VisitAll(func(key, _ []byte) {
		k := bytes.ToLower(key)
		forwarded = forwarded || string(k) == "forwarded" || bytes.HasPrefix(k, []byte("x-forwarded-"))
	})
	return !forwarded
}

// allowed asks the authorizer.
func (h *handler) allowed(ctx context.Context, c *app.RequestContext) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return h.authorize(ctx, c)
}

// wantsVerbose reports whether the query says verbose, other than verbose=0 or verbose=false.
func wantsVerbose(c *app.RequestContext) bool {
	if len(c.URI().QueryString()) == 0 {
		return false
	}
	args := c.QueryArgs()
	if !args.Has("verbose") {
		return false
	}
	switch string(args.Peek("verbose")) {
	case "0", "false":
		return false
	}
	return true
}
