package hertzext

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/config"
	"github.com/cloudwego/hertz/pkg/network"

	"github.com/muster-go/muster/health"
)

// serve runs a real server until the test ends and returns its URL and a client.
func serve(t *testing.T, transport func(*config.Options) network.Transporter, set func(h *server.Hertz)) (string, *http.Client) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := server.New(server.WithListener(l), server.WithTransport(transport), server.WithExitWaitTime(time.Second), server.WithDisablePrintRoute(true))
	set(h)
	running, stopped := make(chan struct{}), make(chan error, 1)
	h.OnRun = append(h.OnRun, func(context.Context) error { close(running); return nil })
	go func() { stopped <- h.Run() }()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		<-running
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v", err)
		}
		<-stopped
	})
	return "http://" + l.Addr().String(), client
}

func ask1(t *testing.T, client *http.Client, method, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestRealServer(t *testing.T) {
	for name, transport := range transports() {
		t.Run(name, func(t *testing.T) {
			m := wellOrHung(t, false)
			url, client := serve(t, transport, func(h *server.Hertz) {
				h.Use(Healthz(m))
				h.Use(func(ctx context.Context, c *app.RequestContext) {
					c.Next(ctx)
					if len(c.GetHeader("X-Careless")) > 0 {
						c.WriteString(" and more")
					}
				})
				Routes(h.Group("/ops"), m)
				h.GET("/text", func(_ context.Context, c *app.RequestContext) { c.String(200, "text text text text text") })
			})
			const well = `{"db":"ok","redis":"ok"}`
			for range 3 { // on one connection, whose buffers are used again
				for _, path := range []string{"/healthz", "/healthz/"} {
					resp, body := ask1(t, client, "GET", url+path, "X-Careless", "yes") // the middleware is behind, and not reached
					if resp.StatusCode != 200 || body != well || resp.Header.Get("X-Health-Status") != "ok" || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" ||
						resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
						t.Errorf("GET %s: %d %v %s", path, resp.StatusCode, resp.Header, body)
					}
				}
				resp, body := ask1(t, client, "HEAD", url+"/healthz")
				if resp.StatusCode != 200 || body != "" || resp.ContentLength != int64(len(well)) || resp.Header.Get("X-Health-Status") != "ok" {
					t.Errorf("HEAD: %d %v %d %q", resp.StatusCode, resp.Header, resp.ContentLength, body)
				}
				resp, body = ask1(t, client, "POST", url+"/healthz")
				if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" {
					t.Errorf("POST: %d %v %s", resp.StatusCode, resp.Header, body)
				}
				if resp, body = ask1(t, client, "GET", url+"/healthz/nobody"); resp.StatusCode != 404 || body != `{"error":"no such probe"}` {
					t.Errorf("unknown probe: %d %s", resp.StatusCode, body)
				}
				if _, body = ask1(t, client, "GET", url+"/text", "X-Careless", "yes"); body != "text text text text text and more" {
					t.Errorf("text: %s", body)
				}
				if resp, body = ask1(t, client, "GET", url+"/none"); resp.StatusCode != 404 || resp.Header.Get("X-Health-Status") != "" {
					t.Errorf("none: %d %s", resp.StatusCode, body)
				}
				if resp, body = ask1(t, client, "GET", url+"/healthz?verbose"); !strings.Contains(body, `"last_run"`) {
					t.Errorf("verbose from loopback: %d %s", resp.StatusCode, body)
				}
				if _, body = ask1(t, client, "GET", url+"/healthz?verbose", "X-Forwarded-For", "127.0.0.1"); body != well {
					t.Errorf("verbose through a proxy: %s", body)
				}
				// Around a route the careless middleware does run. It may spoil its own answer, never the bytes that we keep.
				ask1(t, client, "GET", url+"/ops/healthz", "X-Careless", "yes")
				if resp, body = ask1(t, client, "GET", url+"/ops/healthz"); resp.StatusCode != 200 || body != well {
					t.Errorf("ops: %d %s", resp.StatusCode, body)
				}
			}
		})
	}
}

// Answers and reports of many callers agree with themselves while words change: the code with the body, the header with both.
func TestAnswersAgreeWhileWordsChange(t *testing.T) {
	var db dial
	m := monitor(t, health.Probe{Name: "db", Check: db.check, Interval: time.Millisecond, FailureThreshold: 1})
	m.Start()
	h := Healthz(m)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				c := ask(h, loopback, "/healthz")
				got := fmt.Sprint(c.Response.StatusCode(), string(c.Response.Header.Peek("X-Health-Status")), string(c.Response.Body()))
				switch got {
				case `200ok{"db":"ok"}`, `503failing{"db":"failing"}`, `503starting{"db":"unknown"}`,
					`503failing{"db":"stale"}`, `503failing{"db":"timeout"}`: // the last two of a machine too busy for an interval of a millisecond
				default:
					t.Error(got)
					return
				}
				ask(h, loopback, "/healthz?verbose")
			}
		})
	}
	deadline := time.After(10 * time.Second)
	for i := range 40 {
		if i%2 == 0 {
			db.set(nil)
		} else {
			db.set(errors.New("x"))
		}
		for {
			r, changed := m.Observe()
			if r.Ready == (i%2 == 0) {
				break
			}
			select {
			case <-changed:
			case <-deadline:
				t.Fatal("no change within 10 s")
			}
		}
	}
	close(done)
	readers.Wait()
}
