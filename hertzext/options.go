package hertzext

import (
	"context"
	"strings"

	"github.com/cloudwego/hertz/pkg/app"
)

// Option changes how health checks are answered.
type Option func(*options)

type options struct {
	prefix    string
	authorize Authorizer
	redact    Redactor
}

// Authorizer says whether a caller may see the full report. It is asked only where ?verbose is.
type Authorizer func(ctx context.Context, c *app.RequestContext) bool

// Redactor returns what the full report shows of a probe's error. It is called when a body is encoded, from any request's
// goroutine, and never while err is nil.
type Redactor func(probe string, err error) string

// WithPrefix puts all the paths below a prefix: "/ops" makes /ops/healthz. Slashes at its ends don't matter.
func WithPrefix(prefix string) Option {
	return func(o *options) {
		o.prefix = ""
		if p := strings.Trim(prefix, "/"); p != "" {
			o.prefix = "/" + p
		}
	}
}

// WithAuthorizer sets who may see the full report. The default is [Loopback]; nil means nobody. An authorizer that panics
// says no.
func WithAuthorizer(a Authorizer) Option {
	return func(o *options) {
		o.authorize = a
		if a == nil {
			o.authorize = func(context.Context, *app.RequestContext) bool { return false }
		}
	}
}

// WithRedactor sets what the full report shows of an error. The default, and nil, is its class: timeout, refused, auth,
// dns, canceled or other. Texts of errors hold addresses, and now and then passwords. Where a redactor panics, the class is
// shown.
func WithRedactor(r Redactor) Option { return func(o *options) { o.redact = r } }

func newOptions(opts []Option) options {
	o := options{authorize: Loopback}
	for _, f := range opts {
		if f != nil {
			f(&o)
		}
	}
	return o
}
