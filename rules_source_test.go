package muster

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestSourceRules reads every Go file of the library, and of the modules that stand beside it as examples and peers.
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
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && !slices.Contains([]string{".", "demo", "interop"}, path) {
				return fs.SkipDir // programs that measure and break things: they may wait
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
		found := faults(f)
		if strings.HasSuffix(path, "_test.go") {
			found = waits(f)
		}
		for _, why := range found {
			t.Errorf("%s: %s", path, why)
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

// waits returns where a test waits for a while in real time: in a test, only synctest's time may pass without reason. A
// helper that sleeps for the bubbles of other files says so by its name, pass.
func waits(f *ast.File) (all []string) {
	for _, i := range f.Imports {
		if i.Path.Value == strconv.Quote("testing/synctest") {
			return nil
		}
	}
	for _, decl := range f.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Name.Name == "pass" {
			return nil
		}
	}
	limits := map[ast.Stmt]bool{} // what a select does not only wait for
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectStmt:
			for _, c := range n.Body.List {
				limits[c.(*ast.CommClause).Comm] = len(n.Body.List) > 1
			}
		case *ast.CallExpr:
			if calls(n, "time", "Sleep") {
				all = append(all, "time.Sleep outside of synctest: wait for what is meant")
			}
		case *ast.ExprStmt, *ast.AssignStmt:
			if after(n) && !limits[n.(ast.Stmt)] {
				all = append(all, "<-time.After outside of synctest: wait for what is meant")
			}
		}
		return true
	})
	return all
}

// after reports whether a statement receives from time.After.
func after(stmt ast.Node) (found bool) {
	ast.Inspect(stmt, func(n ast.Node) bool {
		if _, ok := n.(*ast.FuncLit); ok {
			return false // its statements are seen by themselves
		}
		if u, ok := n.(*ast.UnaryExpr); ok && u.Op == token.ARROW && calls(u.X, "time", "After") {
			found = true
		}
		return true
	})
	return found
}

// calls reports whether n calls that function of that package.
func calls(n ast.Expr, pkg string, names ...string) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == pkg && slices.Contains(names, sel.Sel.Name)
}

// faults returns what the library's code does not do: init functions, panics, and variables that outlive their makers.
func faults(f *ast.File) (all []string) {
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.Name == "init" && d.Recv == nil {
				all = append(all, "init: state is made where somebody asks for it")
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "panic" {
						all = append(all, "panic in "+d.Name.Name+": bad input is an error")
					}
				}
				return true
			})
		case *ast.GenDecl:
			for _, name := range variables(d) {
				all = append(all, "the variable "+name+" of the package: state belongs to somebody")
			}
		}
	}
	return all
}

// variables returns those of the package that may change, or hold what may: all but errors, patterns, replacers, embedded
// files, and what only the compiler sees.
func variables(d *ast.GenDecl) (all []string) {
	if d.Tok != token.VAR {
		return nil
	}
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		if embedded(d.Doc) || embedded(v.Doc) {
			continue
		}
		for i, name := range v.Names {
			constant := name.Name == "_" || len(v.Values) == len(v.Names) && (calls(v.Values[i], "errors", "New") ||
				calls(v.Values[i], "fmt", "Errorf") || calls(v.Values[i], "regexp", "MustCompile") || calls(v.Values[i], "strings", "NewReplacer"))
			if !constant {
				all = append(all, name.Name)
			}
		}
	}
	return all
}

func embedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// TestTheRulesFindWhatTheyLookFor: a rule that finds nothing may have looked for nothing.
func TestTheRulesFindWhatTheyLookFor(t *testing.T) {
	for src, want := range map[string]int{
		`func f() { time.Sleep(d) }`:                                              1,
		`func f() { <-time.After(d) }`:                                            1,
		`func f() { at := <-time.After(d); g(at) }`:                               1,
		`func f() { go func() { <-time.After(d) }() }`:                            1,
		`func f() { select { case <-time.After(d): } }`:                           1,
		`func f() { select { case <-time.After(d): case <-c: <-time.After(d) } }`: 1,
		`func f() { select { case <-time.After(d): case <-c: } }`:                 0,
		`func f() { select { case <-time.After(d): default: } }`:                  0,
		`import "testing/synctest"; func f() { time.Sleep(d); <-time.After(d) }`:  0,
		`func pass() { time.Sleep(d) }`:                                           0,
		`func bypass() { time.Sleep(d) }`:                                         1,
	} {
		if got := waits(parse(t, src)); len(got) != want {
			t.Errorf("%s: %q, want %d", src, got, want)
		}
	}
	for src, want := range map[string]int{
		`func init() {}`:                              1,
		`func (t) init() {}`:                          0,
		`func f() { func() { panic(1) }() }`:          1,
		`var mu sync.Mutex`:                           1,
		`var cache = map[string]int{}`:                1,
		`var a, b = 1, errors.New("x")`:               1,
		`var a, b = f()`:                              2,
		`var ErrX = errors.New("x")`:                  0,
		`var errX = fmt.Errorf("x: %w", ErrY)`:        0,
		`var ErrX error`:                              1,
		`var name = regexp.MustCompile("x")`:          0,
		`var r = strings.NewReplacer("a", "b")`:       0,
		`var _ naming.Driver = (*Driver)(nil)`:        0,
		"//go:embed x.txt\nvar text string":           0,
		"var (\n\t//go:embed x.txt\n\ttext string\n)": 0,
		`const n = 1; type t struct{}`:                0,
	} {
		if got := faults(parse(t, src)); len(got) != want {
			t.Errorf("%s: %q, want %d", src, got, want)
		}
	}
}

func parse(t *testing.T, src string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
