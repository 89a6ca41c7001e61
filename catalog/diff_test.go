package catalog

import (
	"fmt"
	"testing"

	"github.com/muster-go/muster/naming"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ prev, next, added, removed string }{
		{"", "", "", ""},
		{"", "a b", "a b", ""},
		{"a b", "", "", "a b"},
		{"a b c", "a b c", "", ""},
		{"a c", "b d", "b d", "a c"},
		{"b", "a b c", "a c", ""},
		{"a b c", "b", "", "a c"},
	} {
		d := Diff(list(tt.prev), list(tt.next))
		if names(d.Added) != tt.added || names(d.Removed) != tt.removed || len(d.Updated) != 0 {
			t.Errorf("%q -> %q: %+v", tt.prev, tt.next, d)
		}
		if d.Empty() != (tt.added+tt.removed == "") {
			t.Errorf("%q -> %q: Empty = %v", tt.prev, tt.next, d.Empty())
		}
	}
}

func TestDiffSeesEverything(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*naming.Instance){
		"weight":   func(i *naming.Instance) { i.Weight++ },
		"tags":     func(i *naming.Instance) { i.Tags = map[string]string{"zone": "z2"} },
		"id":       func(i *naming.Instance) { i.ID = "another" },
		"degraded": func(i *naming.Instance) { i.Degraded = true },
		"network":  func(i *naming.Instance) { i.Network = "tcp6" },
	} {
		prev, next := list("a b"), list("a b")
		change(next[1])
		if d := Diff(prev, next); len(d.Updated) != 1 || d.Updated[0] != next[1] || len(d.Added)+len(d.Removed) != 0 {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestDiffOfNothingAllocatesNothing(t *testing.T) {
	var all []*naming.Instance
	for n := range 1000 {
		all = append(all, &naming.Instance{Addr: fmt.Sprintf("h%04d:1", n)})
	}
	if n := testing.AllocsPerRun(100, func() { Diff(all, all) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDiff10000(b *testing.B) {
	var all []*naming.Instance
	for n := range 10000 {
		all = append(all, &naming.Instance{Addr: fmt.Sprintf("h%05d:1", n)})
	}
	next := append(all[:5000:5000], all[5001:]...)
	b.ReportAllocs()
	for b.Loop() {
		if d := Diff(all, next); len(d.Removed) != 1 {
			b.Fatal(d)
		}
	}
}
