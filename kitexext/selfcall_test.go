package kitexext

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/client/callopt"
	"github.com/cloudwego/kitex/pkg/endpoint"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
	"github.com/cloudwego/kitex/pkg/utils"
	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
)

// lockable is a server middleware that takes a lock for each call, as a handler would that can deadlock.
type lockable struct {
	mu    sync.Mutex
	calls atomic.Int64
}

func (l *lockable) option() server.Option {
	return server.WithMiddleware(func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req, resp any) error {
			l.calls.Add(1)
			l.mu.Lock()
			defer l.mu.Unlock()
			return next(ctx, req, resp)
		}
	})
}

func netAddr(s string) net.Addr { return utils.NewNetAddr("tcp", s) }

// counted notes from which addresses a server is called.
type counted struct {
	mu    sync.Mutex
	conns map[string]bool
}

func (c *counted) option() server.Option {
	c.conns = map[string]bool{}
	return server.WithMiddleware(func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req, resp any) error {
			c.mu.Lock()
			c.conns[rpcinfo.GetRPCInfo(ctx).From().Address().String()] = true
			c.mu.Unlock()
			return next(ctx, req, resp)
		}
	})
}

// A probe that calls the own server finds a deadlock within its timeout, says so, and recovers.
func TestSelfCallFindsADeadlock(t *testing.T) {
	var l lockable
	s := start(t, l.option())
	cli := newClient(t)
	const timeout = 200 * time.Millisecond
	m, err := health.New(health.Options{Logger: quiet()}, health.Probe{
		Name: "rpc", Check: SelfCall(netAddr(s.addr), cli.Say, &echo.Request{Message: "hello"}),
		Interval: timeout, Timeout: timeout, FailureThreshold: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Start()
	defer m.Close()
	becomes := func(want health.Word) *health.Report {
		t.Helper()
		limit := time.After(10 * time.Second)
		for {
			report, changed := m.Observe()
			if report.Probes[0].Word == want {
				return report
			}
			select {
			case <-changed:
			case <-limit:
				t.Fatalf("the probe is %q, want %q", report.Probes[0].Word, want)
			}
		}
	}
	becomes(health.WordOK)
	l.mu.Lock()
	begin := time.Now()
	report := becomes(health.WordTimeout)
	if took := time.Since(begin); took > 3*timeout {
		t.Errorf("a deadlock was found after %v", took)
	}
	if report.Fit {
		t.Error("fit while deadlocked")
	}
	l.mu.Unlock()
	becomes(health.WordOK)
}

// In peace, all runs share a connection.
func TestSelfCallKeepsItsConnection(t *testing.T) {
	var c counted
	s := start(t, c.option())
	check := SelfCall(netAddr(s.addr), newClient(t).Say, &echo.Request{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 20 {
		if err := check(ctx); err != nil {
			t.Fatal(err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.conns) != 1 {
		t.Errorf("20 runs made the connections %v", c.conns)
	}
}

// The context bounds the check, whatever the client's own timeout is; Kitex's call ends with it.
func TestSelfCallKeepsToItsContext(t *testing.T) {
	var l lockable
	s := start(t, l.option())
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, cli := range map[string][]client.Option{
		"no timeout": nil, "a long timeout": {client.WithRPCTimeout(time.Hour)},
	} {
		check := SelfCall(netAddr(s.addr), newClient(t, cli...).Say, &echo.Request{})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		begin := time.Now()
		err := check(ctx)
		cancel()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		if !errors.Is(err, context.DeadlineExceeded) || health.Classify(err) != health.ClassTimeout {
			t.Errorf("%s: %v", name, err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		before := l.calls.Load()
		ended := make(chan error, 1)
		go func() { ended <- check(ctx) }()
		for l.calls.Load() == before { // the call has arrived
			select {
			case err := <-ended:
				t.Fatalf("%s: %v", name, err)
			default:
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A probe may be started before the server; a server that has answered and is gone fails at once.
func TestSelfCallBeforeTheServerListens(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr()
	_ = free.Close()
	cli := newClient(t)
	check := SelfCall(addr, cli.Say, &echo.Request{})
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := check(short); err == nil || !strings.Contains(err.Error(), "nobody listens yet") || health.Classify(err) != health.ClassRefused {
		t.Errorf("%v (%s)", err, health.Classify(err))
	}
	if short.Err() == nil {
		t.Error("given up before its time")
	}

	s := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var refusals atomic.Int64
	check = SelfCallFunc(netAddr(s.addr), func(ctx context.Context, to ...callopt.Option) error {
		if refusals.Add(1) < 3 {
			to = append(to, callopt.WithHostPort(addr.String())) // as if it did not listen yet
		}
		_, err := cli.Say(ctx, &echo.Request{}, to...)
		return err
	})
	if err := check(ctx); err != nil {
		t.Fatal(err)
	}
	if n := refusals.Load(); n != 3 {
		t.Errorf("%d calls", n)
	}
	refusals.Store(-1 << 40)
	begin := time.Now()
	if err := check(ctx); health.Classify(err) != health.ClassRefused {
		t.Errorf("%v", err)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("took %v", took)
	}
}

// The registry is not asked, even if the client has one.
func TestSelfCallGoesRoundTheRegistry(t *testing.T) {
	s := start(t)
	cli := newClient(t, WithResolver(openCatalog(t, newWorld("empty"))))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := SelfCall(netAddr(s.addr), cli.Say, &echo.Request{})(ctx); err != nil {
		t.Error(err)
	}
}

func TestSelfAddr(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		addr net.Addr
		want string
		err  string
	}{
		{netAddr("10.0.0.1:8888"), "10.0.0.1:8888", ""},
		{netAddr(":8888"), "127.0.0.1:8888", ""},
		{netAddr("0.0.0.0:8888"), "127.0.0.1:8888", ""},
		{netAddr("[::]:8888"), "127.0.0.1:8888", ""},
		{utils.NewNetAddr("tcp6", "[::]:8888"), "[::1]:8888", ""},
		{netAddr("[fd00::1]:8888"), "[fd00::1]:8888", ""},
		{netAddr("localhost:8888"), "localhost:8888", ""},
		{&net.TCPAddr{Port: 8888}, "127.0.0.1:8888", ""},
		{&net.UnixAddr{Net: "unix", Name: "/run/echo"}, "/run/echo", ""},
		{nil, "", "no address"},
		{netAddr(":0"), "", "net.Listen"},
		{netAddr("8888"), "", "no host:port"},
	} {
		got, err := selfAddr(tt.addr)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%v: %q, %v; want %q, %q", tt.addr, got, err, tt.want, tt.err)
		}
	}
}

func TestSelfCallOfNothing(t *testing.T) {
	t.Parallel()
	for _, check := range []func(context.Context) error{
		SelfCallFunc(listener, nil),
		SelfCall[*echo.Request, *echo.Response](listener, nil, nil),
		SelfCall(nil, newClient(t).Say, &echo.Request{}),
	} {
		if err := check(t.Context()); err == nil || !strings.Contains(err.Error(), "SelfCall got no") {
			t.Error(err)
		}
	}
}
