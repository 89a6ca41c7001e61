package hertzext

import (
	"bytes"
	"context"
	"sync/atomic"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/protocol/consts"
	"github.com/cloudwego/hertz/pkg/route"

	"github.com/muster-go/muster/health"
)

// Healthz returns a middleware that answers health checks and passes everything else on. Use it before middlewares that
// authenticate or limit, so that checks get through. A nil monitor answers as one that is never started.
func Healthz(m *health.Monitor, opts ...Option) app.HandlerFunc {
	h := newHandler(m, opts)
	return func(ctx context.Context, c *app.RequestContext) {
		if which, probe := match(h.prefix, c.Path()); which != none {
			h.answer(ctx, c, which, probe)
			return
		}
		c.Next(ctx)
	}
}

// Routes registers the same answers as handlers of a router or a group, for every method, so that a wrong one gets 405.
// Like any registration with Hertz it panics if one of the paths is taken.
func Routes(r route.IRoutes, m *health.Monitor, opts ...Option) {
	h := newHandler(m, opts)
	for path, which := range map[string]endpoint{"/healthz": all, "/livez": livez, "/readyz": readyz, "/startupz": startupz} {
		r.Any(h.prefix+path, func(ctx context.Context, c *app.RequestContext) { h.answer(ctx, c, which, nil) })
	}
	r.Any(h.prefix+"/healthz/*probe", func(ctx context.Context, c *app.RequestContext) {
		// The parameter is the end of the path; taken from there it needs no copy.
		path, n := c.Path(), len(c.Param("probe"))
		probe := bytes.TrimSuffix(path[max(0, len(path)-n):], []byte("/"))
		if len(probe) == 0 {
			h.answer(ctx, c, all, nil)
			return
		}
		h.answer(ctx, c, one, probe)
	})
}

// endpoint is one of the things that can be asked.
type endpoint int

const (
	none endpoint = iota
	all
	one
	livez
	readyz
	startupz
)

// match says what a path asks. It allocates nothing.
func match(prefix string, path []byte) (which endpoint, probe []byte) {
	if len(path) < len(prefix) || string(path[:len(prefix)]) != prefix {
		return none, nil
	}
	path = path[len(prefix):]
	if n := len(path); n > 1 && path[n-1] == '/' {
		path = path[:n-1]
	}
	switch string(path) {
	case "/healthz":
		return all, nil
	case "/livez":
		return livez, nil
	case "/readyz":
		return readyz, nil
	case "/startupz":
		return startupz, nil
	}
	if probe, ok := bytes.CutPrefix(path, []byte("/healthz/")); ok {
		return one, probe
	}
	return none, nil
}

// handler answers from cached bodies.
type handler struct {
	options
	m      *health.Monitor
	fixed  *fixed
	cached atomic.Pointer[answers] // of the latest revision asked for
	full   atomic.Pointer[full]    // of the latest report asked for with ?verbose
}

func newHandler(m *health.Monitor, opts []Option) *handler {
	if m == nil {
		m, _ = health.New(health.Options{}) // without a probe nothing can be wrong with it
	}
	return &handler{options: newOptions(opts), m: m, fixed: newFixed()}
}

func (h *handler) answer(ctx context.Context, c *app.RequestContext, which endpoint, probe []byte) {
	c.Abort() // the answer is complete; a handler behind must not add to it
	if !c.IsGet() && !c.IsHead() {
		c.Response.Header.SetCanonical(h.fixed.allow, h.fixed.methods)
		h.send(c, &h.fixed.notAllowed)
		return
	}
	switch which {
	case livez:
		h.send(c, pick(h.m.Alive(), &h.fixed.alive, &h.fixed.dead))
		return
	case startupz:
		h.send(c, pick(h.m.Report().Started, &h.fixed.started, &h.fixed.starting))
		return
	}
	report := h.m.Report()
	if wantsVerbose(c) && h.allowed(ctx, c) {
		h.send(c, h.verbose(report).find(which, probe, &h.fixed.notFound))
		return
	}
	h.send(c, h.plain(report).find(which, probe, &h.fixed.notFound))
}

func pick(yes bool, a, b *answer) *answer {
	if yes {
		return a
	}
	return b
}

// send writes an answer. It sets the status always: where no route is registered Hertz has set 404 before. The body is
// handed over without a copy, so nobody may ever write to it.
func (h *handler) send(c *app.RequestContext, a *answer) {
	f := h.fixed
	c.Response.SetStatusCode(a.code)
	header := &c.Response.Header
	header.SetContentTypeBytes(f.json)
	header.SetCanonical(f.cacheControl, f.noStore)
	header.SetCanonical(f.contentTypeOptions, f.nosniff)
	if a.status != nil {
		header.SetCanonical(f.healthStatus, a.status)
	}
	c.Response.SetBodyRaw(a.body)
}

func code(ok bool) int {
	if ok {
		return consts.StatusOK
	}
	return consts.StatusServiceUnavailable
}
