package etcd

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestConfigErrorsNameTheField(t *testing.T) {
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "f")
		must(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	for _, c := range []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"plain port with TLS files", func(c *Config) { c.Endpoints, c.CAFile = []string{"http://a:1"}, file("x") }, "Endpoints: \"http://a:1\" is plain text"},
		{"mixed", func(c *Config) { c.Endpoints = []string{"http://a:1", "https://b:1"} }, "Endpoints"},
		{"no port", func(c *Config) { c.Endpoints = []string{"a"} }, "Endpoints: \"a\": want host:port"},
		{"a socket", func(c *Config) { c.Endpoints = []string{"unix:/run/etcd"} }, "the port a number"},
		{"port out of range", func(c *Config) { c.Endpoints = []string{"a:65536"} }, "the port a number"},
		{"empty endpoint", func(c *Config) { c.Endpoints = []string{"a:1", ""} }, "Endpoints"},
		{"other scheme", func(c *Config) { c.Endpoints = []string{"ftp://a:1"} }, "Endpoints"},
		{"password in the endpoint", func(c *Config) { c.Endpoints = []string{"http://u:hunter2@a:1"} }, "Endpoints"},
		{"password in an endpoint without a scheme", func(c *Config) { c.Endpoints = []string{"hunter2@a:1"} }, "\"***@a:1\": credentials"},
		{"password after the endpoint", func(c *Config) { c.Endpoints = []string{"http://a:1?p=hunter2"} }, "Endpoints"},
		{"missing CA", func(c *Config) { c.CAFile = "/nowhere/ca.pem" }, "CAFile: /nowhere/ca.pem: no such file"},
		{"bad CA", func(c *Config) { c.CAFile = file("no pem") }, "CAFile"},
		{"certificate without key", func(c *Config) { c.CertFile = file("x") }, "CertFile, KeyFile: one of the two is missing"},
		{"bad certificate", func(c *Config) { c.CertFile, c.KeyFile = file("x"), file("y") }, "CertFile, KeyFile"},
		{"password twice", func(c *Config) { c.Username, c.Password, c.PasswordFile = "u", "hunter2", file("p") }, "Password, PasswordFile: both are set"},
		{"password without user", func(c *Config) { c.Password = "hunter2" }, "Username: missing"},
		{"user without password", func(c *Config) { c.Username = "u" }, "Password, PasswordFile: none is set"},
		{"empty password file", func(c *Config) { c.Username, c.PasswordFile = "u", file("\n") }, "PasswordFile"},
		{"missing password file", func(c *Config) { c.Username, c.PasswordFile = "u", "/nowhere/pw" }, "PasswordFile: /nowhere/pw: no such file"},
		{"short lease", func(c *Config) { c.LeaseTTL = time.Second }, "LeaseTTL: 1s: want whole seconds, at least 2s"},
		{"broken lease", func(c *Config) { c.LeaseTTL = 2500 * time.Millisecond }, "LeaseTTL"},
		{"root with a slash", func(c *Config) { c.Root = "a/b" }, "Root"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{Namespace: testNamespace(t, "dev")}
			c.edit(&cfg)
			_, err := New(cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "Namespace: missing") {
		t.Errorf("error %v, want the missing Namespace", err)
	}
}

// TestConfigHidesThePassword: whoever prints a Config, or something that holds one, prints no password.
func TestConfigHidesThePassword(t *testing.T) {
	t.Parallel()
	cfg := Config{
		Namespace: testNamespace(t, "dev"), Endpoints: []string{"a:1", "http://u:hunter2@b:2"},
		Username: "svc", Password: "hunter2", Logger: slog.New(slog.DiscardHandler),
	}
	holder := struct{ Etcd Config }{cfg}
	var text bytes.Buffer
	for _, v := range []any{cfg, &cfg, holder, &holder} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			fmt.Fprintf(&text, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&text, nil)).Info("", "cfg", v)
		slog.New(slog.NewJSONHandler(&text, nil)).Info("", "cfg", v)
	}
	if strings.Contains(text.String(), "hunter2") {
		t.Errorf("the password is in %s", &text)
	}
	if n := strings.Count(text.String(), "svc"); n < 20 {
		t.Errorf("the user is there %d times: %s", n, &text)
	}
}

func TestScopeTellsDriversApart(t *testing.T) {
	scope := func(edit func(*Config)) string {
		cfg := Config{Namespace: testNamespace(t, "dev"), Endpoints: []string{"b:1", "a:1"}, Username: "u", Password: "hunter2"}
		edit(&cfg)
		d, err := New(cfg)
		must(t, err)
		must(t, d.Close())
		return d.Scope()
	}
	base := scope(func(*Config) {})
	if strings.Contains(base, "hunter2") {
		t.Errorf("a secret in %q", base)
	}
	if got := scope(func(c *Config) { c.Endpoints = []string{"a:1", "b:1"} }); got != base {
		t.Errorf("the order of endpoints matters: %q", got)
	}
	for name, edit := range map[string]func(*Config){
		"endpoints": func(c *Config) { c.Endpoints = []string{"a:1"} },
		"root":      func(c *Config) { c.Root = "other" },
		"namespace": func(c *Config) { c.Namespace = testNamespace(t, "staging") },
	} {
		if scope(edit) == base {
			t.Errorf("other %s, same scope", name)
		}
	}
}
