package child

import (
	"context"
	"sync"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/endpoint"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
)

// Pick is an instance that a call was sent to, whether it answered or not: Kitex goes elsewhere where a connection is
// refused, which who answered in the end does not tell.
type Pick struct {
	Addr  string `json:"a"`
	After int64  `json:"t"` // microseconds since the call began
}

// picks collects those of one call. After a timeout Kitex goes on in the background, so they are guarded.
type picks struct {
	began time.Time

	mu  sync.Mutex // guards all
	all []Pick
}

type picksKey struct{}

// recordPicks is a client's option: each pick goes to the picks in the call's context.
func recordPicks() client.Option {
	return client.WithInstanceMW(func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req, resp any) error {
			if p, ok := ctx.Value(picksKey{}).(*picks); ok {
				if to := rpcinfo.GetRPCInfo(ctx).To(); to != nil && to.Address() != nil {
					p.add(to.Address().String())
				}
			}
			return next(ctx, req, resp)
		}
	})
}

func (p *picks) add(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, Pick{addr, time.Since(p.began).Microseconds()})
}

// taken returns what there is so far.
func (p *picks) taken() []Pick {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[:len(p.all):len(p.all)]
}
