package muster

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
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
		"gate":        {kitex, hertz, etcd, grpc},
		"catalog":     {kitex, hertz, etcd, grpc},
		"naming/etcd": {kitex, hertz},
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

// TestSourceRules reads every Go file of the library.
func TestSourceRules(t *testing.T) {
	comments := map[string]int{} // package directory to how many package comments it has
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); n != "." && (strings.HasPrefix(n, ".") || n == "kitex_gen" || n == "testdata") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != "." {
				return fs.SkipDir // a module of its own: programs, not the library
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.Dir(path)
		if f.Doc != nil && !strings.HasSuffix(f.Name.Name, "_test") {
			comments[dir]++
		} else if _, ok := comments[dir]; !ok && !strings.HasSuffix(path, "_test.go") {
			comments[dir] = 0
		}
		if strings.HasSuffix(path, "_test.go") {
			checkSleep(t, path)
			return nil
		}
		for _, decl := range f.Decls {
			checkDecl(t, path, decl)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, n := range comments {
		if n != 1 {
			t.Errorf("%s has %d package comments, want 1", dir, n)
		}
	}
}

// checkSleep refuses to wait for a while in real time: in a test, only synctest's time may be slept away. A helper that
// sleeps for the bubbles of other files says so by its name, pass.
func checkSleep(t *testing.T, path string) {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(src), "time.Sleep"+"(") && !strings.Contains(string(src), `"testing/synctest"`) &&
		!strings.Contains(string(src), "func pass(") {
		t.Errorf("%s: time.Sleep outside of synctest: wait for what is meant", path)
	}
}

// checkDecl refuses init functions, and calls of panic outside what a test library may do.
func checkDecl(t *testing.T, path string, decl ast.Decl) {
	t.Helper()
	fn, ok := decl.(*ast.FuncDecl)
	if !ok {
		return
	}
	if fn.Name.Name == "init" && fn.Recv == nil {
		t.Errorf("%s: init: state is made where somebody asks for it", path)
	}
	ast.Inspect(fn, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "panic" {
			t.Errorf("%s: panic in %s: bad input is an error", path, fn.Name.Name)
		}
		return true
	})
}
