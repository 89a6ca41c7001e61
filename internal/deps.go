//go:build deps

package internal

import (
	_ "github.com/bytedance/sonic"
	_ "github.com/caarlos0/env/v11"
	_ "github.com/cenkalti/backoff/v5"
	_ "github.com/cloudwego/hertz/pkg/app/server"
	_ "github.com/cloudwego/kitex/client"
	_ "github.com/cloudwego/kitex/server"
	_ "go.etcd.io/etcd/client/v3"
	_ "go.etcd.io/etcd/server/v3/embed"
	_ "go.uber.org/goleak"
	_ "go.uber.org/zap"
)
