package health_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/muster-go/muster/health"
)

func Example() {
	monitor, err := health.New(health.Options{Logger: slog.New(slog.DiscardHandler)},
		health.Probe{Name: "db", Check: func(context.Context) error { return nil }}, // health.SQL(db), in earnest
		health.Probe{
			Name: "search", Level: health.Advisory, Interval: time.Second,
			Check: func(context.Context) error { return errors.New("no route to host") },
		},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer monitor.Close()
	monitor.Start()

	report, changed := monitor.Observe()
	for report.Probe("db").Word == health.WordUnknown || report.Probe("search").Word == health.WordUnknown {
		<-changed
		report, changed = monitor.Observe()
	}
	fmt.Println(report.Status, report.Ready)
	for _, p := range report.Probes {
		fmt.Println(p.Name, p.Word)
	}
	// Output:
	// degraded true
	// db ok
	// search failing
}

// A check may pass and still say that something is wrong.
func ExampleDegraded() {
	lag := 40 * time.Second
	check := func(context.Context) error {
		if lag > 30*time.Second {
			return health.Degraded(fmt.Errorf("the replica lags %v", lag))
		}
		return nil
	}
	fmt.Println(check(context.Background()))
	// Output: the replica lags 40s
}
