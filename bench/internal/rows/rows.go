// Package rows holds what the bench measures, a file for each row of its table.
package rows

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
)

// Row is one question.
type Row struct {
	Name, Title string
	Run         func(*rig.Env, *report.Row) error
	// Beside names rows that may run at the same time, right after this one has begun: it waits more than it works, and
	// they measure no short times.
	Beside []string
}

// All returns the rows in the order in which they run.
func All() []Row {
	return []Row{
		{Name: "latency", Title: "From a change in the registry to the first or last pick", Run: Latency},
		{Name: "detect", Title: "From a dependency's break to the last call", Run: Detect},
		{Name: "floor", Title: "All instances of a service fail in the same millisecond", Run: Floor},
		{Name: "freeze", Title: "A process that was frozen", Run: Freeze},
		{Name: "outage", Title: "The return of etcd", Run: Outage, Beside: []string{"idle", "members"}},
		{Name: "idle", Title: "What it costs to be ready while nothing changes", Run: Idle},
		{Name: "members", Title: "Many members on one etcd", Run: Members},
		{Name: "rpc", Title: "What the way to an instance costs a call", Run: RPC},
		{Name: "scale", Title: "A service of many instances", Run: Scale},
		{Name: "healthz", Title: "A health check", Run: Healthz},
		{Name: "primitives", Title: "What is read at each call and each health check", Run: Primitives},
	}
}

// The sides that rows compare.
const (
	musterSide = "Muster"
	peer       = "registry-etcd"
	bare       = "bare etcd"
)

// RowChild is the child that measures a row.
const RowChild = "row"

// Order says which row a child is to measure.
type Order struct {
	Name  string
	Smoke bool
}

// Children are what this program becomes in other processes.
func Children() map[string]func() rig.Ops {
	return map[string]func() rig.Ops{
		RowChild:         func() rig.Ops { return rig.Ops{"run": rig.Op(measure)} },
		"echo-servers":   echoServers,
		"frozen":         frozenInstance,
		"health-servers": healthServers,
		"idle-client":    idleClient,
		"members":        members,
		"polled-client":  polledClient,
		"rpc-client":     rpcClient,
		"scale-client":   scaleClients,
	}
}

func measure(o Order) (*report.Row, error) {
	for _, r := range All() {
		if r.Name != o.Name {
			continue
		}
		g, err := rig.New()
		if err != nil {
			return nil, err
		}
		defer g.Close()
		row := &report.Row{Name: r.Name, Title: r.Title}
		log := func(format string, args ...any) {
			fmt.Fprintf(os.Stderr, "%s  %s: %s\n", time.Now().Format(time.TimeOnly), r.Name, fmt.Sprintf(format, args...))
		}
		err = r.Run(&rig.Env{Context: context.Background(), Rig: g, Smoke: o.Smoke, Log: log}, row)
		return row, err
	}
	return nil, fmt.Errorf("no row is called %q", o.Name)
}
