// Package child is what the suite's processes do: the suite runs its own program again, in one of these roles. A process
// takes orders, a word a line, from its standard input, and ends with it, so that nothing outlives the suite. It tells what
// it sees on its standard output, and logs to standard error.
package child

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/cloudwego/kitex/pkg/klog"
)

// Variables of a process, beside Muster's own.
const (
	RoleVar     = "CHAOS_ROLE"     // one of the roles
	ServiceVar  = "CHAOS_SERVICE"  // what an instance serves, or a crowd registers
	ListenVar   = "CHAOS_LISTEN"   // where an instance listens; any port of loopback by default
	UnfitVar    = "CHAOS_UNFIT"    // "1": the probe fails until it is told otherwise
	ProbeVar    = "CHAOS_PROBE"    // the probe's interval
	ServicesVar = "CHAOS_SERVICES" // what a caller calls, with commas between
	PaceVar     = "CHAOS_PACE"     // the time between two calls
	CountVar    = "CHAOS_COUNT"    // how many a crowd registers
	NumberVar   = "CHAOS_NUMBER"   // which of several crowds it is
)

// The roles.
const (
	InstanceRole = "instance"
	CallerRole   = "caller"
	CrowdRole    = "crowd"
)

// Event is one line of a process's standard output.
type Event struct {
	Event string `json:"event"`
	// RPC and HTTP are where an instance listens.
	RPC  string `json:"rpc,omitempty"`
	HTTP string `json:"http,omitempty"`
	// Done is the order that has been carried out, and N a number that belongs to it.
	Done string `json:"done,omitempty"`
	N    int    `json:"n,omitempty"`
	// Goroutines are there still after Close, at the end, or while the process lives.
	Goroutines Goroutines `json:"goroutines,omitempty"`
	Call       *Call      `json:"call,omitempty"`
	Err        string     `json:"err,omitempty"`
	// At is when a stall ended, in microseconds since 1970.
	At int64 `json:"at,omitempty"`
}

// Call is one call of a caller's.
type Call struct {
	Service string `json:"s"`
	Began   int64  `json:"b"` // microseconds since 1970
	Took    int64  `json:"t"`
	By      string `json:"by,omitempty"`
	Err     string `json:"e,omitempty"`
	Picks   []Pick `json:"p,omitempty"`
}

// Main runs the role that the environment names and does not return; without one it returns at once.
func Main() {
	role := os.Getenv(RoleVar)
	if role == "" {
		return
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT) // first: one may come at once
	defer cancel()
	klog.SetOutput(io.Discard)
	hlog.SetOutput(io.Discard)
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	c := &control{out: json.NewEncoder(os.Stdout), orders: make(chan string, 16)}
	go c.read()
	go c.stalls()
	run, ok := map[string]func(context.Context, *control) error{
		InstanceRole: instance, CallerRole: caller, CrowdRole: crowd,
	}[role]
	if !ok {
		fmt.Fprintln(os.Stderr, RoleVar, "is no role:", role)
		os.Exit(2)
	}
	if err := run(ctx, c); err != nil {
		c.say(Event{Event: "end", Err: err.Error()})
		os.Exit(1)
	}
	c.say(Event{Event: "end", Goroutines: left()})
	os.Exit(0)
}

// control is the process's line to the suite.
type control struct {
	orders chan string

	mu  sync.Mutex // guards out
	out *json.Encoder
}

// read takes orders until the suite ends, and the process with it.
func (c *control) read() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		c.orders <- in.Text()
	}
	os.Exit(3)
}

// stalls tells when the process has not run for a while though it wanted to, and for how many milliseconds: a machine that
// is too busy, a freeze, or a fault of the process's own. What fails then has to be read with that.
func (c *control) stalls() {
	const every, late = 50 * time.Millisecond, 300 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for last := time.Now(); ; {
		<-tick.C
		now := time.Now()
		if gap := now.Sub(last) - every; gap > late {
			c.say(Event{Event: "stalled", N: int(gap.Milliseconds()), At: now.UnixMicro()})
		}
		last = now
	}
}

func (c *control) say(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.out.Encode(e) // without a suite to hear it, the process is about to end
}
