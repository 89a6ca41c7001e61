package kitexext

import (
	"context"

	"github.com/cloudwego/kitex/pkg/endpoint"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
	"github.com/cloudwego/kitex/pkg/rpcinfo/remoteinfo"
)

type endpointT = endpoint.Endpoint

// to sends each call to another service.
func to(service string) endpoint.Middleware {
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req, resp any) error {
			remoteinfo.AsRemoteInfo(rpcinfo.GetRPCInfo(ctx).To()).SetServiceName(service)
			return next(ctx, req, resp)
		}
	}
}

// toOther sends the calls that carry the tag "to" to the service that it names.
func toOther(next endpoint.Endpoint) endpoint.Endpoint {
	return func(ctx context.Context, req, resp any) error {
		if service, ok := rpcinfo.GetRPCInfo(ctx).To().Tag("to"); ok {
			return to(service)(next)(ctx, req, resp)
		}
		return next(ctx, req, resp)
	}
}
