package kitexext

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/circuitbreak"
	"github.com/cloudwego/kitex/pkg/kerrors"
	"github.com/cloudwego/kitex/pkg/retry"
	"github.com/cloudwego/kitex/pkg/rpcinfo"

	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
)

// hanging is a server that takes calls and answers none of them.
type hanging struct {
	calls atomic.Int64
	over  chan struct{}
}

func (s *hanging) Say(context.Context, *echo.Request) (*echo.Response, error) {
	s.calls.Add(1)
	<-s.over
	return nil, errors.New("over")
}

// hang starts a server that hangs until the test's end, and returns its address.
func hang(t *testing.T) (*hanging, string) {
	t.Helper()
	s := &hanging{over: make(chan struct{})}
	t.Cleanup(func() { close(s.over) })
	return s, serveAs(t, s)
}

// Kitex's failure retry picks again, and so reaches another instance than the one that hangs.
func TestARetryReachesAnotherInstance(t *testing.T) {
	t.Parallel()
	w := newWorld("test")
	s, addr := hang(t)
	w.set("echo", at(addr), at(serve(t, "b")))
	again := retry.NewFailurePolicy()
	again.WithMaxRetryTimes(1)
	cli := newClient(t, WithResolver(openCatalog(t, w)), client.WithRPCTimeout(500*time.Millisecond), client.WithFailureRetry(again))
	for range 4 {
		if got, err := say(t, cli); err != nil || got != "b" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if s.calls.Load() == 0 {
		t.Error("no call had to be made again")
	}
}

// Kitex's circuit breaker opens as over any resolver: calls are then refused without an attempt.
func TestACircuitBreakerOpens(t *testing.T) {
	t.Parallel()
	w := newWorld("test")
	s, addr := hang(t)
	w.set("echo", at(addr))
	breaker := circuitbreak.NewCBSuite(func(rpcinfo.RPCInfo) string { return "echo" })
	const samples = 3
	breaker.UpdateServiceCBConfig("echo", circuitbreak.CBConfig{Enable: true, ErrRate: 0.5, MinSample: samples})
	cli := newClient(t, WithResolver(openCatalog(t, w)), client.WithRPCTimeout(500*time.Millisecond),
		client.WithCircuitBreaker(breaker))
	for range samples {
		if _, err := say(t, cli); !errors.Is(err, kerrors.ErrRPCTimeout) {
			t.Fatalf("before it opens: %v", err)
		}
	}
	before := s.calls.Load()
	for range 20 {
		if _, err := say(t, cli); !errors.Is(err, kerrors.ErrServiceCircuitBreak) {
			t.Fatalf("after it has opened: %v", err)
		}
	}
	if n := s.calls.Load() - before; before == 0 || n != 0 {
		t.Errorf("%d calls before it opened, %d after", before, n)
	}
}
