package tour

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"
)

// child starts a service that finds no etcd, and ends it with the test.
func child(t *testing.T, service string, env ...string) *process {
	t.Helper()
	s := newStarter()
	p, err := s.start("child", append([]string{
		"DEMO_RPC_ADDR=127.0.0.1:0", "DEMO_HTTP_ADDR=127.0.0.1:0", "MUSTER_ETCD_ENDPOINTS=127.0.0.1:1",
	}, env...), service)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.stop(0, func(*process) bool { return true })
		s.close()
	})
	return p
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func exits(t *testing.T, p *process, want int) {
	t.Helper()
	code, err := p.wait(bounded(t))
	if err != nil || code != want {
		t.Fatalf("exit code %d, %v; want %d\n%s", code, err, want, p.tail(20))
	}
}

// A signal may come at any moment of a service's start, before it has registered in particular. It ends well each time.
func TestSignalWhileStarting(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"user-svc", "order-svc"} {
		for _, moment := range []string{"muster: effective configuration", "listening", "registering"} {
			t.Run(service+" "+moment, func(t *testing.T) {
				t.Parallel()
				// Kitex's stop races its own start where one follows the other at once: it misses the event loop, which then
				// ends with the process. Under the race detector that would be another exit code.
				p := child(t, service, "GORACE=exitcode=0")
				if _, err := p.await(bounded(t), moment, func(l line) bool { return l.Msg == moment }); err != nil {
					t.Fatal(err)
				}
				p.signal(syscall.SIGTERM)
				exits(t, p, 0)
			})
		}
	}
}

func TestMisconfigured(t *testing.T) {
	t.Parallel()
	for variable, value := range map[string]string{
		"DEMO_RPC_ADDR": "nonsense", "DEMO_DB_DRIVER": "oracle", "MUSTER_LEASE_TTL": "soon", "MUSTER_NAMESPACE": "prod",
	} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			p := child(t, "user-svc", variable+"="+value)
			l, err := p.await(bounded(t), "the error", func(l line) bool { return l.Msg == "stopped by an error" })
			if err != nil {
				t.Fatal(err)
			}
			if text := l.attr("error"); !strings.Contains(text, variable) {
				t.Errorf("error %q does not name %s", text, variable)
			}
			exits(t, p, 1)
		})
	}
}

func TestAwaitTellsOfAnEnd(t *testing.T) {
	t.Parallel()
	p := child(t, "user-svc", "DEMO_RPC_ADDR=nonsense")
	_, err := p.await(bounded(t), "a miracle", func(line) bool { return false })
	if err == nil || !strings.Contains(err.Error(), "before a miracle") || !strings.Contains(err.Error(), "DEMO_RPC_ADDR") {
		t.Fatalf("await = %v, want that the process has ended, with the end of its log", err)
	}
}
