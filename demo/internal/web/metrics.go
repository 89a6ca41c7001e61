package web

import (
	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/common/adaptor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics returns the handler of /metrics: what c collects, and nothing else.
func Metrics(c prometheus.Collector) app.HandlerFunc {
	r := prometheus.NewRegistry()
	r.MustRegister(c)
	return adaptor.HertzHandler(promhttp.HandlerFor(r, promhttp.HandlerOpts{}))
}
