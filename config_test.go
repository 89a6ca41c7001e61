package muster

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/muster-go/muster/naming"
)

// TestEffectiveConfigurationIsWhatIsLogged: a Config made by hand leaves most fields empty, and the log says what that means.
func TestEffectiveConfigurationIsWhatIsLogged(t *testing.T) {
	ns, err := naming.NewNamespace("dev", "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	m, err := New(t.Context(), Config{Namespace: ns, Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		"config.key_root=muster ", "config.etcd_endpoints=[127.0.0.1:2379]", "config.lease_ttl=10s ", "config.drain_delay=0s ",
		"config.floor=0", `config.protected="[prod production online live]"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}
