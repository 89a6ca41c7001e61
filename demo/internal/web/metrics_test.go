package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	hertz "github.com/cloudwego/hertz/pkg/app/server"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/promext"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	m, err := health.New(health.Options{Logger: slog.New(slog.DiscardHandler)},
		health.Probe{Name: "db", Check: func(context.Context) error { return errors.New("at 10.1.2.3") }})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	_, changed := m.Observe()
	m.Start()
	for m.Report().Status != health.StatusFailing {
		<-changed
		_, changed = m.Observe()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := hertz.New(hertz.WithListener(l), hertz.WithIdleTimeout(0))
	h.GET("/metrics", Metrics(promext.NewCollector(m, nil)))
	ended := make(chan error, 1)
	go func() { ended <- h.Run() }()
	r, err := http.Get("http://" + l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if err := errors.Join(err, h.Shutdown(t.Context()), <-ended); err != nil {
		t.Fatal(err)
	}
	body := string(text)
	if want := `muster_probe_word{level="critical",probe="db",word="failing"} 1`; r.StatusCode != http.StatusOK || !strings.Contains(body, want) {
		t.Errorf("answer %d without %s:\n%s", r.StatusCode, want, body)
	}
	if strings.Contains(body, "10.1.2.3") {
		t.Errorf("an error's text is told:\n%s", body)
	}
}
