package muster

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/naming"
)

func TestDefaults(t *testing.T) {
	for name, vars := range map[string]map[string]string{
		"unset": {},
		"empty": {"MUSTER_NAMESPACE": "", "MUSTER_GROUP": "", "MUSTER_ETCD_ENDPOINTS": "", "MUSTER_FLOOR": "", "MUSTER_LEASE_TTL": ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := parseEnv(vars, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Namespace.String(); got != "dev/default" {
				t.Errorf("namespace %s", got)
			}
			if c.Etcd.Root != "muster" || c.Etcd.Endpoints[0] != "127.0.0.1:2379" || c.Etcd.LeaseTTL != 10*time.Second {
				t.Errorf("etcd %+v", c.Etcd)
			}
			if c.DrainDelay != time.Second || c.Floor != naming.Percent(50) || c.Advertise != "" || c.CacheDir != "" {
				t.Errorf("config %+v", c)
			}
		})
	}
}

func TestEveryErrorNamesItsVariable(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := "/" + strings.Repeat("a", 300)
	for _, c := range []struct {
		vars map[string]string
		want []string
	}{
		{map[string]string{"MUSTER_NAMESPACE": "Dev"}, []string{"MUSTER_NAMESPACE", "DNS-1123"}},
		{map[string]string{"MUSTER_NAMESPACE": " dev"}, []string{"MUSTER_NAMESPACE"}},
		{map[string]string{"MUSTER_GROUP": "a_b"}, []string{"MUSTER_GROUP", "DNS-1123"}},
		{map[string]string{"MUSTER_NAMESPACE": "prod"}, []string{"MUSTER_CONFIRM_NAMESPACE=prod"}},
		{map[string]string{"MUSTER_NAMESPACE": "online"}, []string{"MUSTER_CONFIRM_NAMESPACE=online"}},
		{map[string]string{"MUSTER_NAMESPACE": "prod", "MUSTER_CONFIRM_NAMESPACE": "prdo"}, []string{"MUSTER_CONFIRM_NAMESPACE", "prdo"}},
		{map[string]string{"MUSTER_CONFIRM_NAMESPACE": "prod"}, []string{"MUSTER_CONFIRM_NAMESPACE", "dev"}},
		{map[string]string{"MUSTER_PROTECTED_NAMESPACES": "prod,Live"}, []string{"MUSTER_PROTECTED_NAMESPACES", "Live"}},
		{map[string]string{"MUSTER_KEY_ROOT": "a/b"}, []string{"MUSTER_KEY_ROOT"}},
		{map[string]string{"MUSTER_ETCD_ENDPOINTS": "localhost"}, []string{"MUSTER_ETCD_ENDPOINTS", "host:port"}},
		{map[string]string{"MUSTER_ETCD_ENDPOINTS": "a:1,,b:1"}, []string{"MUSTER_ETCD_ENDPOINTS"}},
		{map[string]string{"MUSTER_ETCD_PASSWORD": "hunter2"}, []string{"MUSTER_ETCD_USERNAME"}},
		{map[string]string{"MUSTER_ETCD_USERNAME": "u", "MUSTER_ETCD_PASSWORD": "hunter2", "MUSTER_ETCD_PASSWORD_FILE": empty}, []string{"MUSTER_ETCD_PASSWORD, MUSTER_ETCD_PASSWORD_FILE"}},
		{map[string]string{"MUSTER_ETCD_USERNAME": "u", "MUSTER_ETCD_PASSWORD_FILE": empty}, []string{"MUSTER_ETCD_PASSWORD_FILE", "empty"}},
		{map[string]string{"MUSTER_ETCD_CA_FILE": "/nowhere"}, []string{"MUSTER_ETCD_CA_FILE", "/nowhere"}},
		{map[string]string{"MUSTER_ETCD_CERT_FILE": empty}, []string{"MUSTER_ETCD_CERT_FILE, MUSTER_ETCD_KEY_FILE"}},
		{map[string]string{"MUSTER_LEASE_TTL": "10"}, []string{"MUSTER_LEASE_TTL"}},
		{map[string]string{"MUSTER_LEASE_TTL": "1s"}, []string{"MUSTER_LEASE_TTL", "2s"}},
		{map[string]string{"MUSTER_DRAIN_DELAY": "-1s"}, []string{"MUSTER_DRAIN_DELAY"}},
		{map[string]string{"MUSTER_DRAIN_DELAY": "soon"}, []string{"MUSTER_DRAIN_DELAY"}},
		{map[string]string{"MUSTER_FLOOR": "half"}, []string{"MUSTER_FLOOR", "half"}},
		{map[string]string{"MUSTER_FLOOR": "101%"}, []string{"MUSTER_FLOOR"}},
		{map[string]string{"MUSTER_ADVERTISE_ADDR": "10.0.0.1:http"}, []string{"muster: MUSTER_ADVERTISE_ADDR: ", "port", "host:port, host or :port"}},
		{map[string]string{"MUSTER_ADVERTISE_ADDR": "0.0.0.0"}, []string{"muster: MUSTER_ADVERTISE_ADDR: ", "unspecified"}},
		{map[string]string{"MUSTER_ADVERTISE_ADDR": "169.254.1.1:80", "KITEX_PORT_TO_REGISTRY": "80"}, []string{"muster: MUSTER_ADVERTISE_ADDR: ", "link-local"}},
		{map[string]string{"KITEX_PORT_TO_REGISTRY": "abc"}, []string{"muster: KITEX_PORT_TO_REGISTRY: ", "abc", "want 1 to 65535"}},
		{map[string]string{"KITEX_PORT_TO_REGISTRY": "0", "KITEX_IP_TO_REGISTRY": "10.0.0.1"}, []string{"muster: KITEX_PORT_TO_REGISTRY: ", "want 1 to 65535"}},
		{map[string]string{"KITEX_PORT_TO_REGISTRY": "80:80"}, []string{"muster: KITEX_PORT_TO_REGISTRY: ", "want 1 to 65535"}},
		{map[string]string{"KITEX_IP_TO_REGISTRY": "10.0.0.1:80"}, []string{"muster: KITEX_IP_TO_REGISTRY: ", "without a port"}},
		{map[string]string{"KITEX_IP_TO_REGISTRY": "10.0.0.256", "KITEX_PORT_TO_REGISTRY": "80"}, []string{"muster: KITEX_IP_TO_REGISTRY: ", "10.0.0.256"}},
		{map[string]string{"KITEX_IP_TO_REGISTRY": "::", "KITEX_PORT_TO_REGISTRY": "x"}, []string{"muster: KITEX_IP_TO_REGISTRY: ", "muster: KITEX_PORT_TO_REGISTRY: "}},
		{map[string]string{"MUSTER_CACHE_DIR": empty}, []string{"muster: MUSTER_CACHE_DIR: ", empty, "no directory"}},
		{map[string]string{"MUSTER_CACHE_DIR": filepath.Join(empty, "a", "b")}, []string{"muster: MUSTER_CACHE_DIR: ", empty + " is no directory"}},
		{map[string]string{"MUSTER_CACHE_DIR": long}, []string{"muster: MUSTER_CACHE_DIR: ", "aaa"}},
		{map[string]string{"MUSTER_ADVERTISE_ADDR": ":", "MUSTER_CACHE_DIR": empty, "MUSTER_FLOOR": "x"}, []string{"MUSTER_ADVERTISE_ADDR", "MUSTER_CACHE_DIR", "MUSTER_FLOOR"}},
		{map[string]string{"MUSTER_FLOOR": "-1", "MUSTER_LEASE_TTL": "1s"}, []string{"MUSTER_FLOOR", "MUSTER_LEASE_TTL"}},
		{map[string]string{"MUSTER_LEASE_TTL": "10", "MUSTER_DRAIN_DELAY": "x", "MUSTER_NAMESPACE": "prod"}, []string{"MUSTER_LEASE_TTL", "MUSTER_DRAIN_DELAY", "MUSTER_CONFIRM_NAMESPACE=prod"}},
		{map[string]string{"MUSTER_NAMESPACE": "Dev", "MUSTER_ETCD_ENDPOINTS": "x"}, []string{"MUSTER_NAMESPACE", "MUSTER_ETCD_ENDPOINTS"}},
	} {
		t.Run(strings.Join(c.want, " "), func(t *testing.T) {
			_, err := parseEnv(c.vars, slog.New(slog.DiscardHandler))
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v\nwant %q in it", err, w)
				}
			}
			for name := range c.vars {
				if strings.HasPrefix(name, "KITEX_") && strings.Contains(err.Error(), "MUSTER_") && c.vars["MUSTER_ADVERTISE_ADDR"] == "" {
					t.Errorf("%v\nnames a variable that is not set", err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
}

func TestProtectedNamespaceIsEnteredWhenConfirmed(t *testing.T) {
	vars := map[string]string{"MUSTER_NAMESPACE": "prod"}
	if _, err := parseEnv(vars, slog.New(slog.DiscardHandler)); !errors.Is(err, naming.ErrProtected) {
		t.Errorf("err = %v, want ErrProtected", err)
	}
	vars["MUSTER_CONFIRM_NAMESPACE"] = "prod"
	c, err := parseEnv(vars, slog.New(slog.DiscardHandler))
	if err != nil || c.Namespace.Name() != "prod" {
		t.Errorf("= %v, %v", c.Namespace, err)
	}
}

func TestAdvertise(t *testing.T) {
	for _, c := range []struct{ muster, ip, port, want string }{
		{"", "", "", ""},
		{"10.0.0.1:80", "", "", "10.0.0.1:80"},
		{"", "10.0.0.1", "", "10.0.0.1"},
		{"", "10.0.0.1", "80", "10.0.0.1:80"},
		{"", "", "80", ":80"},
		{"", "fd00::1", "80", "[fd00::1]:80"},
		{"", "[fd00::1]", "80", "[fd00::1]:80"},
		{"10.0.0.2", "10.0.0.1", "80", "10.0.0.2"},
	} {
		vars := map[string]string{"MUSTER_ADVERTISE_ADDR": c.muster, "KITEX_IP_TO_REGISTRY": c.ip, "KITEX_PORT_TO_REGISTRY": c.port}
		got, err := parseEnv(vars, slog.New(slog.DiscardHandler))
		if err != nil || got.Advertise != c.want {
			t.Errorf("%v: %q, %v, want %q", vars, got.Advertise, err, c.want)
		}
	}
}

func TestCacheDirThatIsNotThereYet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	c, err := parseEnv(map[string]string{"MUSTER_CACHE_DIR": dir}, slog.New(slog.DiscardHandler))
	if err != nil || c.CacheDir != dir {
		t.Errorf("= %q, %v", c.CacheDir, err)
	}
	if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading the environment has written to the disk: %v", err)
	}
}

func TestLogShowsEverythingButSecrets(t *testing.T) {
	vars := map[string]string{
		"MUSTER_ETCD_USERNAME": "svc", "MUSTER_ETCD_PASSWORD": "hunter2", "MUSTER_FLOOR": "2", "MUSTER_NAMESPCE": "prod",
	}
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	c, err := parseEnv(maps.Clone(vars), log)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("effective", "config", c)
	for _, want := range []string{"namespace=dev", "etcd_username=svc", "etcd_password=***", "floor=2", "variable=MUSTER_NAMESPCE"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("the password is in\n%s", &out)
	}
}
