package hertzext_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/cloudwego/hertz/pkg/common/config"
	"github.com/cloudwego/hertz/pkg/common/ut"
	"github.com/cloudwego/hertz/pkg/route"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/hertzext"
)

func Example() {
	monitor, err := health.New(health.Options{Logger: slog.New(slog.DiscardHandler)},
		health.Probe{Name: "db", Check: func(context.Context) error { return nil }})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer monitor.Close()
	monitor.Start()
	for report, changed := monitor.Observe(); !report.Started; report, changed = monitor.Observe() {
		<-changed
	}

	h := route.NewEngine(config.NewOptions(nil)) // server.Default(), in earnest
	h.Use(hertzext.Healthz(monitor))

	answer := ut.PerformRequest(h, "GET", "http://localhost/healthz", nil).Result()
	fmt.Println(answer.StatusCode(), string(answer.Header.Peek("X-Health-Status")), string(answer.Body()))
	// Output: 200 ok {"db":"ok"}
}
