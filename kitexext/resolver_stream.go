package kitexext

import (
	"github.com/cloudwego/kitex/client/streamclient"

	"github.com/muster-go/muster/catalog"
)

// WithStreamResolver is [WithResolver] for the clients of streaming methods that Kitex's default generator makes
// (NewStreamClient). Those generated with -streamx take WithResolver.
func WithStreamResolver(c *catalog.Catalog, opts ...ResolverOption) streamclient.Option {
	return streamclient.Option{F: WithResolver(c, opts...).F}
}
