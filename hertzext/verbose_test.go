package hertzext

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/common/ut"

	"github.com/muster-go/muster/health"
)

func TestFullReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var db dial
		m := monitor(t, health.Probe{Name: "db", Check: db.check, Jitter: health.NoJitter}, health.Probe{Name: "s", Check: pass, Level: health.Advisory, InitialDelay: time.Hour})
		m.Attach(health.Registration{Service: "user-svc", Addr: "10.0.0.1:8888", Namespace: "dev", Group: "blue", State: health.Serving, Detail: "why"})
		m.Start()
		after(time.Second)
		db.set(&net.DNSError{Err: "no such host", Name: "db.internal"})
		after(4 * time.Second)
		h := Healthz(m)
		c := ask(h, loopback, "/healthz?verbose")
		var got map[string]any
		if err := json.Unmarshal(c.Response.Body(), &got); err != nil {
			t.Fatalf("%v in %s", err, c.Response.Body())
		}
		for path, want := range map[string]any{
			"status": "degraded", "ready": true, "fit": true, "started": true,
			"registrations.0.service": "user-svc", "registrations.0.addr": "10.0.0.1:8888", "registrations.0.namespace": "dev",
			"registrations.0.group": "blue", "registrations.0.state": "serving", "registrations.0.detail": "why",
			"registrations.0.since": "2000-01-01T00:00:00.000Z",
			"probes.db.status":      "ok", "probes.db.state": "suspect", "probes.db.level": "critical", "probes.db.error": "dns",
			"probes.db.failures": 1.0, "probes.db.failures_in_row": 1.0, "probes.db.passes_in_row": 0.0,
			"probes.db.since": "2000-01-01T00:00:00.000Z",
			"probes.s.status": "unknown", "probes.s.level": "advisory", "probes.s.error": nil, "probes.s.last_run": nil, "probes.s.runs": 0.0,
		} {
			if v := dig(got, path); v != want {
				t.Errorf("%s is %v, want %v, in %s", path, v, want, c.Response.Body())
			}
		}
		if c.Response.StatusCode() != 200 || string(c.Response.Header.Peek("X-Health-Status")) != "degraded" {
			t.Errorf("%d %s", c.Response.StatusCode(), c.Response.Header.Peek("X-Health-Status"))
		}

		one := ask(h, loopback, "/healthz/db?verbose")
		got = nil
		if err := json.Unmarshal(one.Response.Body(), &got); err != nil || dig(got, "db.error") != "dns" || len(got) != 1 {
			t.Errorf("%v %s", err, one.Response.Body())
		}
		if c := ask(h, loopback, "/healthz/nobody?verbose"); c.Response.StatusCode() != 404 {
			t.Errorf("unknown probe: %d", c.Response.StatusCode())
		}
		if full, ready := ask(h, loopback, "/healthz?verbose"), ask(h, loopback, "/readyz?verbose=1"); string(full.Response.Body()) != string(ready.Response.Body()) {
			t.Errorf("readyz: %s", ready.Response.Body())
		}
		for _, url := range []string{"/healthz", "/healthz?verbose=0", "/healthz?verbose=false", "/healthz?x=verbose", "/healthz?verbosely"} {
			if b := ask(h, loopback, url).Response.Body(); string(b) != `{"db":"ok","s":"unknown"}` {
				t.Errorf("%s: %s", url, b)
			}
		}
	})
}

// dig finds "a.0.b" in decoded JSON.
func dig(v any, path string) any {
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			v = x[key[0]-'0']
		}
	}
	return v
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	tcp := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 1} }
	for _, c := range []struct {
		addr   net.Addr
		header string
		want   bool
	}{
		{tcp("127.0.0.1"), "", true},
		{tcp("127.8.9.10"), "", true},
		{tcp("::1"), "", true},
		{tcp("::ffff:127.0.0.1"), "", true},
		{spelled("[::ffff:127.0.0.1]:1"), "", true},
		{spelled("[::ffff:10.0.0.1]:1"), "", false},
		{spelled("localhost:1"), "", false},
		{tcp("127.0.0.1"), "User-Agent", true},
		{tcp("127.0.0.1"), "Forwarded", false},
		{tcp("127.0.0.1"), "X-Forwarded-For", false},
		{tcp("127.0.0.1"), "x-forwarded-proto", false},
		{tcp("::1"), "X-FORWARDED-ANYTHING", false},
		{tcp("10.0.0.1"), "", false},
		{tcp("0.0.0.0"), "", false},
		{tcp("::"), "", false},
		{tcp("192.168.1.1"), "X-Real-Ip", false},
		{&net.UnixAddr{Name: "/run/x.sock", Net: "unix"}, "", false},
		{&net.UnixAddr{Name: "127.0.0.1:1", Net: "unix"}, "", false},
		{nil, "", false},
	} {
		for _, normalized := range []bool{true, false} {
			ctx := app.NewContext(0)
			ctx.SetConn(from{addr: c.addr})
			if !normalized {
				ctx.Request.Header.DisableNormalizing()
			}
			if c.header != "" {
				ctx.Request.Header.Set(c.header, "127.0.0.1")
			}
			if got := Loopback(context.Background(), ctx); got != c.want {
				t.Errorf("%v with %q: %v", c.addr, c.header, got)
			}
		}
	}
	if Loopback(context.Background(), app.NewContext(0)) {
		t.Error("a caller without a connection is no caller at all")
	}
}

// spelled is an address of a transport that spells it in its own way.
type spelled string

func (spelled) Network() string  { return "tcp" }
func (s spelled) String() string { return string(s) }

func TestAuthorizerAndRedactor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Probe{Name: "db", Check: func(context.Context) error { return errors.New("text") }})
		m.Start()
		after(time.Second)
		outside := &net.TCPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 1}
		token := func(_ context.Context, c *app.RequestContext) bool { return string(c.GetHeader("X-Token")) == "t" }
		verbose := func(addr net.Addr, opts []Option, headers ...ut.Header) string {
			return string(ask(Healthz(m, opts...), addr, "/healthz?verbose", headers...).Response.Body())
		}
		const plain = `{"db":"failing"}`
		for name, c := range map[string]struct {
			got  string
			want string // in the body; "" for the plain one
		}{
			"default, outside":    {verbose(outside, nil), ""},
			"default, inside":     {verbose(loopback, nil), `"error":"other"`},
			"nil authorizer":      {verbose(loopback, []Option{WithAuthorizer(nil)}), ""},
			"token missing":       {verbose(loopback, []Option{WithAuthorizer(token)}), ""},
			"token":               {verbose(outside, []Option{WithAuthorizer(token)}, ut.Header{Key: "X-Token", Value: "t"}), `"error":"other"`},
			"panics":              {verbose(loopback, []Option{WithAuthorizer(func(context.Context, *app.RequestContext) bool { panic("x") })}), ""},
			"redactor":            {verbose(loopback, []Option{WithRedactor(func(p string, err error) string { return p + ":" + err.Error() })}), `"error":"db:text"`},
			"redactor panics":     {verbose(loopback, []Option{WithRedactor(func(string, error) string { panic("x") })}), `"error":"other"`},
			"nil redactor":        {verbose(loopback, []Option{WithRedactor(nil)}), `"error":"other"`},
			"redactor, outside":   {verbose(outside, []Option{WithRedactor(func(_ string, err error) string { return err.Error() })}), ""},
			"redactor has no nil": {verbose(loopback, []Option{WithRedactor(func(_ string, err error) string { return "<" + err.Error() + ">" })}), "text"},
		} {
			if c.want == "" && c.got != plain || !strings.Contains(c.got, c.want) {
				t.Errorf("%s: %s, want %s", name, c.got, c.want)
			}
		}
	})
}

// TestNothingLeaks asks everything in many ways as a stranger, and the full report as a friend, of probes that put their
// secrets wherever they can.
func TestNothingLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const dsn, addr, payload = "root:s3cret@tcp(10.9.8.7:3306)/prod", "10.9.8.7", "payl0ad"
		leak := []string{"s3cret", addr, payload, "prod", "tcp(", "boom", "runtime error"}
		m := monitor(t,
			health.Probe{Name: "text", Check: func(context.Context) error { return errors.New("boom " + dsn) }},
			health.Probe{Name: "wrapped", Check: func(context.Context) error {
				return fmt.Errorf("dial %s: %w", dsn, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New(dsn)})
			}},
			health.Probe{Name: "slow", Check: func(ctx context.Context) error { <-ctx.Done(); return errors.New(dsn) }},
			health.Probe{Name: "panics", Check: func(context.Context) error { panic(payload + dsn) }},
			health.Probe{Name: "index", Check: func(context.Context) error { return []error{}[len(payload)] }},
			health.Probe{Name: "lag", Check: func(context.Context) error { return health.Degraded(errors.New(dsn)) }},
			health.Probe{Name: "dns", Check: func(context.Context) error { return &net.DNSError{Err: "boom", Name: dsn} }, Level: health.Advisory})
		m.Attach(health.Registration{Service: "svc", Addr: addr + ":8888", State: health.Serving, Detail: "boom"})
		m.Start()
		after(20 * time.Second)
		h := Healthz(m)
		rng := rand.New(rand.NewPCG(1, 2))
		one := func(of ...string) string { return of[rng.IntN(len(of))] }
		for range 5000 {
			url := one("/healthz", "/readyz", "/livez", "/startupz", "/healthz/", "/healthz/text", "/healthz/wrapped", "/healthz/slow",
				"/healthz/panics", "/healthz/index", "/healthz/lag", "/healthz/dns", "/healthz/nobody") + one("", "?verbose", "?verbose=1", "?verbose=true&verbose", "?a=b&verbose")
			peer, header := net.Addr(loopback), one("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "x-forwarded-proto")
			if rng.IntN(2) == 0 {
				peer = &net.TCPAddr{IP: net.IPv4(byte(1+rng.IntN(126)), 0, 0, 1), Port: 1}
				header = one("X-Forwarded-For", "X-Real-Ip", "Accept", "Authorization")
			}
			c := ask(h, peer, url, ut.Header{Key: header, Value: one("127.0.0.1", "for=127.0.0.1", "::1", "")})
			said := string(c.Response.Body())
			c.Response.Header.VisitAll(func(k, v []byte) { said += "\n" + string(k) + ": " + string(v) })
			for _, l := range leak {
				if strings.Contains(said, l) {
					t.Fatalf("%s from %v with %s says %q:\n%s", url, peer, header, l, said)
				}
			}
		}
		for _, url := range []string{"/healthz?verbose", "/healthz/text?verbose", "/healthz/panics?verbose"} {
			said := string(ask(h, loopback, url).Response.Body())
			for _, l := range []string{"s3cret", payload, "prod", "tcp(", "runtime error"} {
				if strings.Contains(said, l) {
					t.Errorf("%s to a friend says %q:\n%s", url, l, said)
				}
			}
		}
	})
}
