package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/internal/floortest"
)

// patience bounds every wait for something that must happen.
const patience = 30 * time.Second

// asCommand makes the test's program the command itself.
const asCommand = "TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	floortest.Main()
	if os.Getenv(asCommand) != "" {
		main()
	}
	goleak.VerifyTestMain(m,
		// etcd's server starts it for its whole process and never ends it.
		goleak.IgnoreTopFunction("go.etcd.io/etcd/server/v3/etcdserver.monitorFileDescriptor"),
	)
}

// result is what a command said.
type result struct {
	code     int
	out, err string
}

// at points the command at an etcd.
func at(t *testing.T, endpoint string) {
	t.Helper()
	t.Setenv("MUSTER_ETCD_ENDPOINTS", endpoint)
}

// command runs the command within this process.
func command(t *testing.T, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	code := run(ctx, &app{out: &out, err: &err}, args)
	return result{code, out.String(), err.String()}
}

// want fails unless the command ended with that code, and what it said holds each text.
func (r result) want(t *testing.T, code int, texts ...string) result {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d; out %q, err %q", r.code, code, r.out, r.err)
	}
	for _, s := range texts {
		if !strings.Contains(r.out+r.err, s) {
			t.Errorf("%q is missing in out %q, err %q", s, r.out, r.err)
		}
	}
	return r
}

// stream is what a running command writes, and what waits for it.
type stream struct {
	mu      sync.Mutex
	text    string
	changed chan struct{}
}

func newStream() *stream { return &stream{changed: make(chan struct{})} }

func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text += string(b)
	close(s.changed)
	s.changed = make(chan struct{})
	return len(b), nil
}

// until waits for a line, or a screen, with all the texts in it, and returns what has come up to then.
func (s *stream) until(t *testing.T, texts ...string) string {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		s.mu.Lock()
		text, changed := s.text, s.changed
		s.mu.Unlock()
		for line := range strings.Lines(text) {
			all := true
			for _, want := range texts {
				all = all && strings.Contains(line, want)
			}
			if all {
				return text
			}
		}
		select {
		case <-changed:
		case <-late.C:
			t.Fatalf("no line with %q in:\n%s", texts, text)
		}
	}
}
