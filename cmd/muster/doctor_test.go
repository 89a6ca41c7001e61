package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

var update = flag.Bool("update", false, "write the golden files")

// environ sets what is named and unsets every other variable of Muster's.
func environ(t *testing.T, vars map[string]string) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "MUSTER_") || strings.HasPrefix(name, "KITEX_") {
			t.Setenv(name, "")
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, value := range vars {
		t.Setenv(name, value)
	}
}

// shell runs the program and returns what it wrote, and its exit code.
func shell(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), &app{out: &stdout, err: &stderr}, args)
	return stdout.String() + stderr.String(), code
}

// masks take out what is another at each run.
var masks = []struct {
	find *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+(->127\.0\.0\.1:\d+)?`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`(read|write) tcp 127.0.0.1:PORT: (read: |write: )?`), ""},
	{regexp.MustCompile(`\((EOF|connection reset by peer|broken pipe)\)`), "(the connection ended)"},
	{regexp.MustCompile(` \(possibly because of "x509.*?"test authority"\)`), ""},
	{regexp.MustCompile(`\S*/Test\S*/`), "DIR/"},
	{regexp.MustCompile(` {2,}(environment|default)`), "  $1"},
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	for _, m := range masks {
		got = m.find.ReplaceAllString(got, m.with)
	}
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the output is\n%s\nwant\n%s", got, want)
	}
}

func cheapHash(c *embed.Config) { c.BcryptCost = 4 }

// clinic is what the doctor is called to.
type clinic struct {
	open, walled, secure *etcdtest.Node
	web, nobody          string
	ca, cert, key        string
}

func newClinic(t *testing.T) *clinic {
	t.Helper()
	ca, dir := etcdtest.NewAuthority(t), t.TempDir()
	c := &clinic{ca: ca.CAFile, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	ca.Issue(c.cert, c.key, "client", 10)
	c.open, c.walled, c.secure = etcdtest.Start(t), etcdtest.Start(t, cheapHash), etcdtest.Start(t, ca.Serve(""))

	roles, err := etcd.OpenRoles(etcd.Config{Endpoints: []string{c.walled.Endpoint()}})
	if err != nil {
		t.Fatal(err)
	}
	defer roles.Close()
	plan, err := roles.Plan(t.Context(), etcd.RolesSpec{
		Users: []etcd.RolesUser{{Namespace: "dev", Password: "hunter2"}, {Namespace: "prod", Password: "hunter3"}}, EnableAuth: true, RootPassword: "hunter4",
	})
	if err == nil {
		err = roles.Apply(t.Context(), plan, nil)
	}
	if err != nil {
		t.Fatal(err)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
	go web.Serve(l)
	t.Cleanup(func() { _ = web.Close() })
	c.web = l.Addr().String()
	ports, err := etcdtest.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	c.nobody = "127.0.0.1:" + itoa(ports[0])
	return c
}

// serveOne registers one instance that serves and one that doesn't.
func serveOne(t *testing.T, endpoint, user, password string) {
	t.Helper()
	ns, err := naming.NewNamespace("dev", "")
	if err != nil {
		t.Fatal(err)
	}
	d, err := etcd.New(etcd.Config{Namespace: ns, Endpoints: []string{endpoint}, Username: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	for i, service := range []string{"order-svc", "user-svc", "user-svc"} {
		m, err := d.Join(t.Context(), naming.Claim{
			Instance: naming.Instance{Service: service, Addr: "10.0.0." + itoa(i+1) + ":8888", ID: "id-" + itoa(i)},
			Status:   naming.Status{State: "waiting", Unfit: true},
		})
		if err == nil && i == 1 {
			err = m.Publish(t.Context(), naming.Status{State: "serving"}, false)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestDoctor is the table of outputs: what is wrong, the verdict, the next step, the exit code.
func TestDoctor(t *testing.T) {
	c := newClinic(t)
	at := func(endpoint string, more ...string) map[string]string {
		vars := map[string]string{"MUSTER_ETCD_ENDPOINTS": endpoint}
		for i := 0; i < len(more); i += 2 {
			vars[more[i]] = more[i+1]
		}
		return vars
	}
	const user, password = "MUSTER_ETCD_USERNAME", "MUSTER_ETCD_PASSWORD"
	dev := []string{user, "muster-dev", password, "hunter2"}
	check := func(t *testing.T, name string, vars map[string]string, code int, args ...string) {
		t.Helper()
		environ(t, vars)
		began := time.Now()
		out, got := shell(t, append([]string{"doctor"}, args...)...)
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("took %v", took)
		}
		if got != code {
			t.Errorf("exit code %d, want %d", got, code)
		}
		if strings.Contains(out, "hunter") {
			t.Errorf("a secret in\n%s", out)
		}
		golden(t, "doctor-"+strings.ReplaceAll(name, " ", "-"), out)
	}
	for _, k := range []struct {
		name string
		vars map[string]string
		code int
		args []string
	}{
		{"no etcd", at(c.nobody), 1, nil},
		{"wrong port", at(c.web), 1, nil},
		{"TLS to a plain port", at("https://"+c.open.Endpoint(), "MUSTER_ETCD_CA_FILE", c.ca), 1, nil},
		{"plain to a TLS port", at(c.secure.Endpoint()), 1, nil},
		{"no client certificate", at("https://"+c.secure.Endpoint(), "MUSTER_ETCD_CA_FILE", c.ca), 1, nil},
		{"mutual TLS", at(c.secure.Endpoint(), "MUSTER_ETCD_CA_FILE", c.ca, "MUSTER_ETCD_CERT_FILE", c.cert, "MUSTER_ETCD_KEY_FILE", c.key), 0, nil},
		{"bad password", at(c.walled.Endpoint(), user, "muster-dev", password, "hunter3"), 1, nil},
		{"no user", at(c.walled.Endpoint()), 1, nil},
		{"no permission", at(c.walled.Endpoint(), append(dev, "MUSTER_NAMESPACE", "staging")...), 1, nil},
		{"protected without confirmation", at(c.walled.Endpoint(), user, "muster-prod", password, "hunter3", "MUSTER_NAMESPACE", "prod"), 1, nil},
		{"protected with a typo", at(c.walled.Endpoint(), user, "muster-prod", password, "hunter3", "MUSTER_NAMESPACE", "prod", "MUSTER_CONFIRM_NAMESPACE", "prdo"), 1, nil},
		{"protected and confirmed", at(c.walled.Endpoint(), user, "muster-prod", password, "hunter3", "MUSTER_NAMESPACE", "prod", "MUSTER_CONFIRM_NAMESPACE", "prod"), 0, nil},
		{"empty namespace", at(c.walled.Endpoint(), dev...), 0, nil},
		{"no wall", at(c.open.Endpoint()), 0, nil},
		{"no wall strict", at(c.open.Endpoint()), 1, []string{"--strict"}},
		{"root", at(c.walled.Endpoint(), user, "root", password, "hunter4"), 0, nil},
		{"one of two endpoints", at(c.nobody+","+c.walled.Endpoint(), dev...), 0, nil},
		{"bad values", at("localhost", "MUSTER_NAMESPACE", "Dev", "MUSTER_LEASE_TTL", "1", "MUSTER_FLOR", "1"), 1, nil},
	} {
		t.Run(k.name, func(t *testing.T) { check(t, k.name, k.vars, k.code, k.args...) })
	}
	t.Run("in order", func(t *testing.T) {
		serveOne(t, c.walled.Endpoint(), "muster-dev", "hunter2")
		check(t, "serving", at(c.walled.Endpoint(), dev...), 0)
	})
}

// TestDoctorOnAnOldEtcd fakes the version, and asks the etcd that is installed here, where there is one.
func TestDoctorOnAnOldEtcd(t *testing.T) {
	c := newClinic(t)
	environ(t, map[string]string{
		"MUSTER_ETCD_ENDPOINTS": c.walled.Endpoint(), "MUSTER_ETCD_USERNAME": "muster-dev", "MUSTER_ETCD_PASSWORD": "hunter2",
	})
	var out bytes.Buffer
	a := &app{out: &out, err: &out}
	a.timeout = 5 * time.Second
	d := &doctorCommand{app: a, examine: func(ctx context.Context, cfg etcd.Config, others []string) (*etcd.Examination, error) {
		x, err := etcd.Examine(ctx, cfg, others)
		if err == nil {
			x.Endpoints[0].Version = "3.4.23"
		}
		return x, err
	}}
	if err := d.run(t.Context()); err != nil {
		t.Error(err)
	}
	golden(t, "doctor-too-old-for-the-wall", out.String())
	d.strict = true
	var f *failure
	if err := d.run(t.Context()); !errors.As(err, &f) || f.code != exitFailed {
		t.Errorf("with --strict: %v", err)
	}

	t.Run("installed", func(t *testing.T) {
		endpoint, version := etcdtest.StartInstalled(t)
		environ(t, map[string]string{"MUSTER_ETCD_ENDPOINTS": endpoint})
		dir := t.TempDir()
		rootFile := filepath.Join(dir, "root")
		out, code := shell(t, "roles", "dev", "--apply", "--enable-auth", "--password-dir", dir, "--password-file", rootFile)
		if code != 0 || strings.Contains(out, "does NOT hold") == etcd.WallHolds(version) {
			t.Errorf("roles on etcd %s: %d\n%s", version, code, out)
		}
		t.Setenv("MUSTER_ETCD_USERNAME", "muster-dev")
		t.Setenv("MUSTER_ETCD_PASSWORD_FILE", filepath.Join(dir, "muster-dev.password"))
		out, code = shell(t, "doctor")
		if code != 0 || strings.Contains(out, "does not hold it") == etcd.WallHolds(version) || !strings.Contains(out, "etcd "+version) {
			t.Errorf("doctor on etcd %s: %d\n%s", version, code, out)
		}
	})
}

func TestDoctorTakesNoArguments(t *testing.T) {
	environ(t, nil)
	if out, code := shell(t, "doctor", "x"); code != exitUsage {
		t.Errorf("%d\n%s", code, out)
	}
	if out, code := shell(t, "doctor", "--timeout", "0s"); code != exitUsage {
		t.Errorf("%d\n%s", code, out)
	}
}
