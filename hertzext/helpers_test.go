package hertzext

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/common/config"
	"github.com/cloudwego/hertz/pkg/common/ut"
	"github.com/cloudwego/hertz/pkg/network"
	"github.com/cloudwego/hertz/pkg/route"

	"github.com/muster-go/muster/health"
)

// dial is a check whose answer can be turned.
type dial struct{ err atomic.Pointer[error] }

func (d *dial) set(err error) { d.err.Store(&err) }

func (d *dial) check(context.Context) error {
	if p := d.err.Load(); p != nil {
		return *p
	}
	return nil
}

func pass(context.Context) error { return nil }

func monitor(tb testing.TB, probes ...health.Probe) *health.Monitor {
	tb.Helper()
	m, err := health.New(health.Options{Logger: slog.New(slog.DiscardHandler)}, probes...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return m
}

// after lets time pass in a bubble and everything settle.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// engine returns a Hertz engine without a listener.
func engine() *route.Engine { return route.NewEngine(config.NewOptions(nil)) }

// do asks an engine.
func do(e *route.Engine, method, url string, headers ...ut.Header) (code int, status, body string) {
	r := ut.PerformRequest(e, method, "http://h"+url, nil, headers...).Result()
	return r.StatusCode(), string(r.Header.Peek("X-Health-Status")), string(r.Body())
}

// from is a connection of which nothing is known but where it comes from.
type from struct {
	network.Conn
	addr net.Addr
}

func (c from) RemoteAddr() net.Addr { return c.addr }

var loopback = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}

// ask calls a handler as a caller at addr would.
func ask(h app.HandlerFunc, addr net.Addr, url string, headers ...ut.Header) *app.RequestContext {
	c := app.NewContext(0)
	c.SetConn(from{addr: addr})
	c.Request.SetRequestURI("http://h" + url)
	for _, x := range headers {
		c.Request.Header.Add(x.Key, x.Value)
	}
	h(context.Background(), c)
	return c
}
