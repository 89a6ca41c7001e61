package muster

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/naming"
)

// FuzzParseEnv: whatever stands in the environment, what comes out can be run as it is, nobody enters a protected namespace
// unconfirmed, each error names a variable, and no password gets into one.
func FuzzParseEnv(f *testing.F) {
	f.Add("prod", "prod", "", "prod,live", "127.0.0.1:2379", "10s", "50%", "10.0.0.1:80")
	f.Add("", "", "", "", "", "", "", "")
	f.Add("prod", "", "blue", "", "https://a:1, b:2", "1h", "2", ":80")
	f.Add("dev", "prod", "a_b", ",", "http://u:hunter2@a:1", "2562047h", "-1", "[::1]:80")
	f.Add("live", "live", "", " live", "a:1", "10", "101%", "%")
	f.Fuzz(func(t *testing.T, name, confirm, group, protected, endpoints, ttl, floor, advertise string) {
		const secret = "correct horse battery staple"
		vars := map[string]string{
			"MUSTER_NAMESPACE": name, "MUSTER_CONFIRM_NAMESPACE": confirm, "MUSTER_GROUP": group,
			"MUSTER_PROTECTED_NAMESPACES": protected, "MUSTER_ETCD_ENDPOINTS": endpoints, "MUSTER_LEASE_TTL": ttl,
			"MUSTER_FLOOR": floor, "MUSTER_ADVERTISE_ADDR": advertise, "MUSTER_ETCD_USERNAME": "u", "MUSTER_ETCD_PASSWORD": secret,
		}
		cfg, err := parseEnv(maps.Clone(vars), slog.New(slog.DiscardHandler))
		if err != nil {
			if !strings.Contains(err.Error(), "MUSTER_") {
				t.Fatalf("%q names no variable", err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Fatalf("the password is in %q", err)
			}
			return
		}
		if want := name; want != "" && cfg.Namespace.Name() != want || name == "" && cfg.Namespace.Name() != "dev" {
			t.Fatalf("MUSTER_NAMESPACE=%q became %v", name, cfg.Namespace)
		}
		list := strings.Split(protected, ",")
		if protected == "" {
			list = naming.DefaultProtected()
		}
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
		if slices.Contains(list, cfg.Namespace.Name()) && confirm != cfg.Namespace.Name() {
			t.Fatalf("%v of %q entered with %q", cfg.Namespace, list, confirm)
		}
		if err := cfg.Etcd.Check(); err != nil {
			t.Fatalf("accepted, but can't be run: %v", err)
		}
		if err := gate.CheckAdvertise(cfg.Advertise); err != nil {
			t.Fatalf("accepted, but can't be advertised: %v", err)
		}
		if strings.Contains(cfg.LogValue().String(), secret) {
			t.Fatal("the password is in the log's value")
		}
	})
}
