//go:build !windows

package hertzext

import (
	"github.com/cloudwego/hertz/pkg/common/config"
	"github.com/cloudwego/hertz/pkg/network"
	"github.com/cloudwego/hertz/pkg/network/netpoll"
	"github.com/cloudwego/hertz/pkg/network/standard"
)

func transports() map[string]func(*config.Options) network.Transporter {
	return map[string]func(*config.Options) network.Transporter{"netpoll": netpoll.NewTransporter, "standard": standard.NewTransporter}
}
