package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming/etcd"
)

func itoa(n int) string { return strconv.Itoa(n) }

// TestRoles walks an operator's way: a look, the deed, the deed again, drift, a lost file.
func TestRoles(t *testing.T) {
	node := etcdtest.Start(t, cheapHash)
	environ(t, map[string]string{"MUSTER_ETCD_ENDPOINTS": node.Endpoint()})
	dir := filepath.Join(t.TempDir(), "made", "for-it")
	rootFile := filepath.Join(dir, "root.password")
	var secrets []string
	step := func(name string, code int, args ...string) string {
		t.Helper()
		out, got := shell(t, append([]string{"roles"}, args...)...)
		if got != code {
			t.Errorf("%s: exit code %d, want %d", name, got, code)
		}
		for _, s := range secrets {
			if strings.Contains(out, s) {
				t.Errorf("%s: a password in\n%s", name, out)
			}
		}
		golden(t, "roles-"+strings.ReplaceAll(name, " ", "-"), out)
		return out
	}
	files := func() (names []string) {
		all, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, f := range all {
			names = append(names, f.Name())
		}
		return names
	}
	admin := []string{"--user", "root", "--password-file", rootFile, "--password-dir", dir}
	with := func(args ...string) []string { return append(args, admin...) }

	step("no password dir", exitUsage, "dev")
	step("a look without authentication", exitOK, "dev", "prod", "--password-dir", dir)
	step("enabling without a root", exitUsage, "dev", "--enable-auth", "--password-dir", dir)
	step("a look", exitOK, with("dev", "prod", "--enable-auth")...)
	if f := files(); len(f) > 0 {
		t.Errorf("a look wrote %v", f)
	}
	step("the deed", exitOK, with("dev", "prod", "--enable-auth", "--apply")...)
	for _, f := range files() {
		info, err := os.Stat(filepath.Join(dir, f))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
		b, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil || len(strings.TrimSpace(string(b))) < 20 {
			t.Errorf("%s holds %d bytes, %v", f, len(b), err)
		}
		secrets = append(secrets, strings.TrimSpace(string(b)))
	}
	if len(secrets) != 3 {
		t.Fatalf("files %v", files())
	}
	step("the deed again", exitOK, with("dev", "prod", "--enable-auth", "--apply")...)
	step("without credentials", exitFailed, "dev", "--password-dir", dir)
	step("another namespace", exitOK, with("staging")...)

	if err := os.Remove(filepath.Join(dir, "muster-dev.password")); err != nil {
		t.Fatal(err)
	}
	step("a lost file", exitOK, with("dev", "--apply")...)
	step("a lost file, reset", exitOK, with("dev", "--apply", "--reset-passwords")...)
	if err := os.WriteFile(filepath.Join(dir, "muster-dev.password"), []byte("rotated\n"), 0o644); err != nil { //nolint:gosec // it is to be found fault with
		t.Fatal(err)
	}
	secrets = append(secrets, "rotated")
	step("a rotated file", exitOK, with("dev", "--apply")...)
	step("as a namespaces user", exitFailed, "dev", "--user", "muster-dev", "--password-file", filepath.Join(dir, "muster-dev.password"), "--password-dir", dir)
	step("a wrong password", exitFailed, "dev", "--user", "root", "--password-file", filepath.Join(dir, "muster-dev.password"), "--password-dir", dir)

	environ(t, map[string]string{
		"MUSTER_ETCD_ENDPOINTS": node.Endpoint(), "MUSTER_ETCD_USERNAME": "muster-dev",
		"MUSTER_ETCD_PASSWORD_FILE": filepath.Join(dir, "muster-dev.password"),
	})
	if out, code := shell(t, "doctor"); code != exitOK || !strings.Contains(out, "other namespaces are refused: prod") {
		t.Errorf("the doctor finds fault: %d\n%s", code, out)
	}
	if out, code := shell(t, append([]string{"roles", "staging", "--apply", "--show-passwords"}, admin...)...); code != exitOK {
		t.Errorf("%d\n%s", code, out)
	} else if b, err := os.ReadFile(filepath.Join(dir, "muster-staging.password")); err != nil || !strings.Contains(out, strings.TrimSpace(string(b))) {
		t.Errorf("--show-passwords does not: %v\n%s", err, out)
	}
}

func TestRolesUsage(t *testing.T) {
	environ(t, nil)
	for _, args := range [][]string{
		{"roles"},
		{"roles", "Dev"},
		{"roles", "../x", "--password-dir", t.TempDir()},
		{"roles", "dev", "--user", "root", "--password-file", filepath.Join(t.TempDir(), "none")},
		{"roles", "dev", "--timeout", "0s"},
	} {
		if out, code := shell(t, args...); code != exitUsage {
			t.Errorf("%v: %d\n%s", args, code, out)
		}
	}
}

func TestOverheard(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]etcd.Config{
		"etcd:2379":         {Endpoints: []string{"127.0.0.1:1", "etcd:2379"}},
		"http://10.0.0.1:1": {Endpoints: []string{"http://10.0.0.1:1"}},
	} {
		if got := overheard(cfg); got != want {
			t.Errorf("%v: %q, want %q", cfg.Endpoints, got, want)
		}
	}
	for _, cfg := range []etcd.Config{
		{Endpoints: []string{"127.0.0.1:1", "[::1]:1", "localhost:1", "http://localhost:1/"}},
		{Endpoints: []string{"https://etcd:1"}},
		{Endpoints: []string{"etcd:1"}, CAFile: "ca.pem"},
	} {
		if got := overheard(cfg); got != "" {
			t.Errorf("%v: %q", cfg.Endpoints, got)
		}
	}
}
