package muster

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/muster-go/muster"

// TestImportRules keeps what each package may compile. The reasons are the users': who runs Hertz alone must not build
// Kitex, who brings Consul must not build etcd, and the words of the domain must not depend on anything.
func TestImportRules(t *testing.T) {
	kitex, hertz := "github.com/cloudwego/kitex", "github.com/cloudwego/hertz"
	etcd, grpc := "go.etcd.io/etcd", "google.golang.org/grpc"
	for pkg, refused := range map[string][]string{
		"hertzext":    {kitex, etcd, grpc, module + "/naming"},
		"kitexext":    {etcd, hertz},
		"gate":        {kitex, hertz, etcd, grpc, module + "/catalog"},
		"catalog":     {kitex, hertz, etcd, grpc, module + "/gate", module + "/health"},
		"promext":     {kitex, hertz, etcd, grpc, module + "/gate"},
		"naming/etcd": {kitex, hertz, module + "/gate", module + "/catalog", module + "/health"},
	} {
		t.Run(pkg, func(t *testing.T) {
			t.Parallel()
			for _, dep := range deps(t, pkg) {
				for _, bad := range refused {
					if dep == bad || strings.HasPrefix(dep, bad+"/") {
						t.Errorf("%s compiles %s", pkg, dep)
					}
				}
			}
		})
	}
	for _, pkg := range []string{"health", "naming"} {
		t.Run(pkg+" is of the standard library alone", func(t *testing.T) {
			t.Parallel()
			for _, dep := range deps(t, pkg) {
				if first, _, _ := strings.Cut(dep, "/"); strings.Contains(first, ".") && dep != module+"/"+pkg {
					t.Errorf("%s compiles %s", pkg, dep)
				}
			}
		})
	}
}

// TestNoPeersAmongTheRequirements: database drivers and other registries must never enter a user's version selection.
func TestNoPeersAmongTheRequirements(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, peer := range []string{"kitex-contrib", "go-sql-driver", "modernc.org", "go-redis", "miniredis", "gorm", "consul", "nacos"} {
		if strings.Contains(string(mod), peer) {
			t.Errorf("go.mod requires %s: it belongs to a module of its own", peer)
		}
	}
}

func deps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./"+pkg).CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	return strings.Fields(string(out))
}
