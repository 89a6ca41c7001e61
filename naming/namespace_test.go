package naming

import (
	"errors"
	"strings"
	"testing"
)

func TestNewNamespace(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	for _, c := range []struct {
		name, group, want string
		err               string // the part that is wrong
	}{
		{"dev", "", "dev/default", ""},
		{"dev", "blue", "dev/blue", ""},
		{"a", "0", "a/0", ""},
		{"a-b--c", "x1", "a-b--c/x1", ""},
		{long, long, long + "/" + long, ""},
		{"", "", "", "namespace"},
		{"Dev", "", "", "namespace"},
		{"dev ", "", "", "namespace"},
		{" dev", "", "", "namespace"},
		{"dev\n", "", "", "namespace"},
		{"-dev", "", "", "namespace"},
		{"dev-", "", "", "namespace"},
		{"de_v", "", "", "namespace"},
		{"d.v", "", "", "namespace"},
		{"a/b", "", "", "namespace"},
		{".roster", "", "", "namespace"},
		{"..", "", "", "namespace"},
		{"dév", "", "", "namespace"},
		{long + "a", "", "", "namespace"},
		{"dev", "Blue", "", "group"},
		{"dev", " ", "", "group"},
		{"dev", "a/b", "", "group"},
		{"dev", long + "a", "", "group"},
	} {
		ns, err := NewNamespace(c.name, c.group)
		switch {
		case c.err == "" && (err != nil || ns.String() != c.want || ns.IsZero()):
			t.Errorf("NewNamespace(%q, %q) = %v, %v; want %s", c.name, c.group, ns, err, c.want)
		case c.err != "" && (err == nil || !ns.IsZero() || !strings.HasPrefix(err.Error(), "naming: "+c.err+" ")):
			t.Errorf("NewNamespace(%q, %q) = %v, %v; want an error that names the %s", c.name, c.group, ns, err, c.err)
		}
	}
}

func TestNamespacesCompare(t *testing.T) {
	t.Parallel()
	make_ := func(name, group string) Namespace {
		ns, err := NewNamespace(name, group)
		if err != nil {
			t.Fatal(err)
		}
		return ns
	}
	if make_("dev", "") != make_("dev", DefaultGroup) {
		t.Error("the default group is not the same as none")
	}
	for _, o := range []Namespace{{}, make_("prod", ""), make_("dev", "blue"), make_("default", "dev")} {
		if make_("dev", "") == o {
			t.Errorf("dev is %v", o)
		}
	}
	if !(Namespace{}).IsZero() {
		t.Error("the zero value is a namespace")
	}
}

func FuzzNewNamespace(f *testing.F) {
	for _, s := range []string{"dev", "prod-1", "", "a/b", "-", "default", "\xff"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, name, group string) {
		ns, err := NewNamespace(name, group)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if ns.Name() != name || group != "" && ns.Group() != group {
			t.Errorf("%q, %q became %v: nothing may be folded or trimmed", name, group, ns)
		}
		if strings.Count(ns.String(), "/") != 1 || len(name) > 63 || strings.ContainsAny(name+group, ".:\x00 \n") {
			t.Errorf("%v could stand for something else in a key", ns)
		}
	})
}

func TestProtection(t *testing.T) {
	t.Parallel()
	std := DefaultProtected()
	for _, c := range []struct {
		name  string
		names []string
		conf  string
		ok    bool
	}{
		{"dev", std, "", true},
		{"dev", std, "dev", true},
		{"dev", std, "prod", false},
		{"prod", std, "", false},
		{"prod", std, "prod", true},
		{"prod", std, "PROD", false},
		{"prod", std, "prod ", false},
		{"prod", std, "production", false},
		{"prod", nil, "", true},
		{"production", std, "", false},
		{"online", std, "", false},
		{"live", std, "", false},
		{"live", std, "live", true},
		{"prod-eu", std, "", true}, // names are exact; a list may name more
		{"prod-eu", append(std, "prod-eu"), "", false},
	} {
		ns, err := NewNamespace(c.name, "")
		if err != nil {
			t.Fatal(err)
		}
		err = Protection{Names: c.names, Confirm: c.conf, ConfirmWith: "MUSTER_CONFIRM_NAMESPACE"}.Check(ns)
		if (err == nil) != c.ok {
			t.Errorf("%s of %v confirmed by %q: %v", c.name, c.names, c.conf, err)
		}
		if err != nil && (!errors.Is(err, ErrProtected) || !strings.Contains(err.Error(), "MUSTER_CONFIRM_NAMESPACE=") ||
			!strings.Contains(err.Error(), c.name)) {
			t.Errorf("%v does not say what to set", err)
		}
	}
	ns, err := NewNamespace("prod", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := (Protection{Names: std}).Check(ns); err == nil || !strings.Contains(err.Error(), "Protection.Confirm=prod") {
		t.Error(err)
	}
}

func FuzzProtection(f *testing.F) {
	f.Add("prod", "prod")
	f.Add("prod", "")
	f.Add("dev", "dev")
	f.Fuzz(func(t *testing.T, name, confirm string) {
		ns, err := NewNamespace(name, "")
		if err != nil {
			return
		}
		p := Protection{Names: DefaultProtected(), Confirm: confirm}
		if err := p.Check(ns); err == nil && p.Protects(name) && confirm != name {
			t.Errorf("%s entered with %q", name, confirm)
		}
	})
}
