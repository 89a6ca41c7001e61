package kitexext

import (
	"bytes"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/cloudwego/kitex/pkg/klog"
)

// written is what was written to it.
type written struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(p)
}

// Kitex's logger writes what it is given in its own form, and no less than it would of its own.
func TestLogHandler(t *testing.T) {
	out := new(written)
	klog.SetOutput(out)
	log := slog.New(LogHandler()).With("from", "TestLogHandler")
	log.Debug("below klog's level")
	log.Info("catalog: a copy is used", "age", "1h")
	log.Warn("warned")
	log.Error("erred")
	klog.SetOutput(io.Discard)

	var got []string
	for line := range strings.Lines(out.buf.String()) {
		if strings.Contains(line, "TestLogHandler") { // others may log meanwhile
			got = append(got, line)
		}
	}
	want := []string{`\[Info\] catalog: a copy is used from=TestLogHandler age=1h`, `\[Warn\] warned from=`, `\[Error\] erred from=`}
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d: %q", len(got), len(want), got)
	}
	for n, w := range want {
		if !regexp.MustCompile(w).MatchString(got[n]) {
			t.Errorf("line %q, want %s", got[n], w)
		}
	}
}
