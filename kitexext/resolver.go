package kitexext

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
	"github.com/cloudwego/kitex/pkg/utils"

	"github.com/muster-go/muster/catalog"
)

// WithResolver makes a Kitex client find its service in the catalog. The service is the client's destination name, or the
// one that a call sets. It may stand anywhere among the client's options and leaves them as they are: whatever balancer
// and lbcache options the user chose are used, before or after this one.
//
// A client built with a nil or a closed catalog fails each call with an error that says so. See the package comment for
// what a change in the registry does to calls, and when.
func WithResolver(c *catalog.Catalog, opts ...ResolverOption) client.Option {
	var ro resolverOptions
	for _, opt := range opts {
		if opt != nil {
			opt.applyResolver(&ro)
		}
	}
	return client.Option{F: func(o *client.Options, di *utils.Slice) {
		r, err := resolverOf(c)
		if err != nil {
			di.Push(fmt.Sprintf("kitexext.WithResolver(%v)", err))
			o.Resolver = broken(err)
			return
		}
		di.Push(fmt.Sprintf("kitexext.WithResolver(%s)", r.name))
		o.Resolver = r
		// The user's balancer may come in a later option: what is run after all of them wraps it.
		o.TailOptions = append(o.TailOptions, client.Option{F: func(o *client.Options, _ *utils.Slice) { r.attach(o, &ro) }})
	}}
}

// ResolverOption changes what WithResolver does.
type ResolverOption interface{ applyResolver(*resolverOptions) }

type resolverOptions struct {
	onPush func(Push)
}

type resolverOption func(*resolverOptions)

func (f resolverOption) applyResolver(o *resolverOptions) { f(o) }

// OnPush has f called after each change that has reached the client's balancer, for a metric or a test: picks that begin
// after the call of f see the change. f is called from the goroutine that pushes, and delays the next push until it
// returns. It must not close the client, the catalog or Muster, which wait for that goroutine: start a goroutine that does.
// Nil is the default: nobody is called.
func OnPush(f func(Push)) ResolverOption {
	return resolverOption(func(o *resolverOptions) { o.onPush = f })
}

// resolver is a catalog as Kitex sees it. There is one for each catalog, kept as an extension of it.
type resolver struct {
	c      *catalog.Catalog
	name   string
	prefix string // of the cache keys that Kitex makes of this resolver's results
	lists  lists

	mu        sync.Mutex // guards everything that follows
	closed    bool
	serial    int
	shared    map[string]*balancer
	balancers map[*balancer]struct{}
}

type resolverKey struct{}

func resolverOf(c *catalog.Catalog) (*resolver, error) {
	if c == nil {
		return nil, errors.New("kitexext: WithResolver got a nil catalog: pass the one of muster.FromEnv, or of catalog.New")
	}
	x, err := c.Extension(resolverKey{}, func() io.Closer {
		// Kitex shares what it caches among all resolvers of one name in the process: the scope tells backends and
		// namespaces apart, the id two catalogs of one scope.
		name := "muster|" + c.Scope() + "|" + c.ID()
		return &resolver{
			c:         c,
			name:      name,
			prefix:    name + ":",
			lists:     lists{byService: make(map[string]*converter)},
			shared:    make(map[string]*balancer),
			balancers: make(map[*balancer]struct{}),
		}
	})
	if err != nil {
		return nil, fmt.Errorf("kitexext: WithResolver: %w", err)
	}
	r := x.(*resolver)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, fmt.Errorf("kitexext: WithResolver: %w", catalog.ErrClosed)
	}
	return r, nil
}

// Name implements discovery.Resolver.
func (r *resolver) Name() string { return r.name }

// Target implements discovery.Resolver.
func (r *resolver) Target(_ context.Context, target rpcinfo.EndpointInfo) string {
	return target.ServiceName()
}

// Resolve implements discovery.Resolver. An error, on which Kitex keeps what it had, means that nothing is known of the
// service; where all its instances have left, the answer is an empty list, on which calls fail with no instance.
func (r *resolver) Resolve(ctx context.Context, service string) (discovery.Result, error) {
	// Kitex has all calls wait for the answer that the first of them asked for: its deadline is not the others'. It obeys
	// that itself; what is waited for here ends with the catalog's FirstWait.
	v, err := r.c.Lookup(context.WithoutCancel(ctx), service)
	if err != nil {
		return discovery.Result{}, fmt.Errorf("kitexext: resolve %q in %s: %w", service, r.c.Scope(), err)
	}
	return r.lists.of(v).of.settle(time.Now()).result, nil
}

// Diff implements discovery.Resolver. What came back meanwhile counts as not removed, so that Kitex does not close the
// connections that are in use again.
func (r *resolver) Diff(cacheKey string, prev, next discovery.Result) (discovery.Change, bool) {
	ch, ok := diff(cacheKey, prev, next)
	if !ok {
		return discovery.DefaultDiff(cacheKey, prev, next)
	}
	if c := r.lists.get(strings.TrimPrefix(cacheKey, r.prefix)); c != nil {
		ch.Removed = slices.DeleteFunc(ch.Removed, func(i discovery.Instance) bool {
			own, ok := i.(*instance)
			return ok && c.has(own.of.Addr)
		})
	}
	return ch, differs(ch)
}

// broken is a resolver that says what is wrong.
func broken(err error) discovery.Resolver {
	return discovery.SynthesizedResolver{
		TargetFunc:  func(_ context.Context, target rpcinfo.EndpointInfo) string { return target.ServiceName() },
		ResolveFunc: func(context.Context, string) (discovery.Result, error) { return discovery.Result{}, err },
		NameFunc:    func() string { return "muster|broken|" + err.Error() },
	}
}
