package muster_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/internal/etcdtest"
)

// captured is a log that can be read while it is written.
type captured struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (c *captured) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(b)
}

func (c *captured) count(text string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Count(c.out.String(), text)
}

// register registers an instance of echo, and waits until it serves.
func register(t *testing.T, m *muster.Muster) *gate.Registration {
	t.Helper()
	r, err := m.Gate.Register(gate.Spec{Service: "echo", Listen: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8888}})
	if err != nil {
		t.Fatal(err)
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		_, changed := m.Health.Observe()
		if r.State() == health.Serving {
			return r
		}
		select {
		case <-changed:
		case <-timeout.C:
			t.Fatalf("still %v", r.State())
		}
	}
}

// TestCloseTakesAlongWhatIsStillRegistered: nothing of the process's is left in etcd, what comes after Close does nothing,
// and the effective configuration was logged once.
func TestCloseTakesAlongWhatIsStillRegistered(t *testing.T) {
	node := etcdtest.Start(t)
	t.Setenv("MUSTER_ETCD_ENDPOINTS", node.Endpoint())
	t.Setenv("MUSTER_DRAIN_DELAY", "20s") // Close does not wait for it: whoever closes serves no more
	cfg, err := muster.ParseEnv()
	if err != nil {
		t.Fatal(err)
	}
	var log captured
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	m, err := muster.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r := register(t, m)
	cli := node.Client()
	const serving, entry = "muster/dev/default/echo/127.0.0.1:8888", "muster/dev/.roster/default/echo/127.0.0.1:8888"
	keys := etcdtest.Keys(t, cli, "muster/")
	if keys[serving] == "" || keys[entry] == "" {
		t.Fatalf("while it serves: %v", keys)
	}

	begin := time.Now()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("Close took %v", took)
	}
	keys = etcdtest.Keys(t, cli, "muster/")
	if keys[serving] != "" || keys[entry] != "" {
		t.Errorf("after Close: %v", keys)
	}
	leases, err := cli.Leases(t.Context())
	if err != nil || len(leases.Leases) != 0 {
		t.Errorf("after Close: leases %v, %v", leases, err)
	}
	before, err := cli.Get(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	if err := r.Deregister(); err != nil {
		t.Errorf("deregistered after Close: %v", err)
	}
	if _, err := m.Gate.Register(gate.Spec{Service: "echo", Advertise: "127.0.0.1:8889"}); !errors.Is(err, gate.ErrClosed) {
		t.Errorf("registered after Close: %v", err)
	}
	after, err := cli.Get(t.Context(), "x")
	if err != nil || after.Header.Revision != before.Header.Revision {
		t.Errorf("etcd was written to after Close: %v, %v", after, err)
	}
	if n := log.count("muster: effective configuration"); n != 1 {
		t.Errorf("the effective configuration was logged %d times", n)
	}
}
