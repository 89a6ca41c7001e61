package kitexext

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudwego/kitex/pkg/discovery"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/naming"
)

type instanceOf = naming.Instance

func TestConvertKeepsPointers(t *testing.T) {
	t.Parallel()
	conv := new(converter)
	a, b, c := at("a:1"), at("b:1"), at("c:1")
	heavy := *b
	heavy.Weight = 99
	first := conv.convert(&catalog.View{Service: "echo", Seq: 1, Instances: []*naming.Instance{a, b, c}})
	if again := conv.convert(&catalog.View{Seq: 1}); again != first {
		t.Error("one view was converted twice")
	}
	second := conv.convert(&catalog.View{Service: "echo", Seq: 3, Instances: []*naming.Instance{a, &heavy}})
	if late := conv.convert(&catalog.View{Seq: 2}); late != second {
		t.Error("an older view replaced a newer one")
	}
	f, s := first.result.Instances, second.result.Instances
	if f[0] != s[0] || f[1] == s[1] || s[1].Weight() != 99 {
		t.Errorf("%v, %v", f, s)
	}
	if !conv.has("b:1") || conv.has("c:1") {
		t.Error("what is there is not what the latest view says")
	}
}

func TestInstance(t *testing.T) {
	t.Parallel()
	i := newInstance(&naming.Instance{Addr: "10.0.0.1:80", Tags: map[string]string{"zone": "z1"}})
	if i.Address().Network() != "tcp" || i.Address().String() != "10.0.0.1:80" || i.Weight() != naming.DefaultWeight {
		t.Errorf("%v %v %d", i.Address().Network(), i.Address(), i.Weight())
	}
	if v, ok := i.Tag("zone"); v != "z1" || !ok {
		t.Errorf("zone %q, %v", v, ok)
	}
	if _, ok := i.Tag(TagDegraded); ok {
		t.Error("degraded")
	}
	if v, ok := newInstance(&naming.Instance{Degraded: true}).Tag(TagDegraded); v != "true" || !ok {
		t.Errorf("degraded %q, %v", v, ok)
	}
}

// diff and Kitex's own agree, but for tags, which Kitex's does not see.
func TestDiffIsKitexs(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		view := func(seq uint64) *catalog.View {
			v := &catalog.View{Seq: seq}
			for n := range 30 {
				if rnd.IntN(3) > 0 {
					i := at(fmt.Sprintf("10.0.0.%02d:1", n))
					i.Weight = 1 + rnd.IntN(2)
					v.Instances = append(v.Instances, i)
				}
			}
			return v
		}
		conv := new(converter)
		prev, next := conv.convert(view(1)).result, conv.convert(view(2)).result
		got, ok := diff("key", prev, next)
		want, changed := discovery.DefaultDiff("key", prev, next)
		if !ok || differs(got) != changed || fmt.Sprint(addresses(got)) != fmt.Sprint(addresses(want)) {
			t.Fatalf("got %v, want %v", addresses(got), addresses(want))
		}
	}
	conv := new(converter)
	tagged := *at("a:1")
	tagged.Tags = map[string]string{"zone": "z2"}
	prev := conv.convert(&catalog.View{Seq: 1, Instances: []*naming.Instance{at("a:1")}}).result
	next := conv.convert(&catalog.View{Seq: 2, Instances: []*naming.Instance{&tagged}}).result
	if ch, _ := diff("key", prev, next); len(ch.Updated) != 1 {
		t.Errorf("a tag changed: %v", addresses(ch))
	}
}

func TestDiffOfNothingAllocatesNothing(t *testing.T) {
	conv := new(converter)
	list := many(100, 2)
	prev := conv.convert(&catalog.View{Seq: 1, Instances: list}).result
	next := conv.convert(&catalog.View{Seq: 2, Instances: list}).result
	if n := testing.AllocsPerRun(100, func() { diff("key", prev, next) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func addresses(ch discovery.Change) [3][]string {
	var out [3][]string
	for n, list := range [][]discovery.Instance{ch.Added, ch.Updated, ch.Removed} {
		for _, i := range list {
			out[n] = append(out[n], i.Address().String())
		}
	}
	return out
}

// Kitex's cache learns of changes late enough for calls that are on their way, and never later than twice that.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conv := new(converter)
		expect := func(seq uint64) {
			t.Helper()
			if got := conv.settle(time.Now()).seq; got != seq {
				t.Errorf("settled %d, want %d", got, seq)
			}
		}
		conv.convert(&catalog.View{Seq: 1})
		expect(1) // the first is known at once
		conv.convert(&catalog.View{Seq: 2})
		expect(1)
		time.Sleep(settle - 1)
		expect(1)
		time.Sleep(time.Nanosecond)
		expect(2)
		for seq := uint64(3); seq < 100; seq++ { // changes that never cease
			conv.convert(&catalog.View{Seq: seq})
			if lag := seq - conv.settle(time.Now()).seq; lag > 8 {
				t.Fatalf("%d changes of 250 ms behind", lag)
			}
			time.Sleep(settle / 4)
		}
		time.Sleep(2 * settle)
		expect(99)
	})
}

// An instance that is back is not reported as removed: Kitex would close the connections of calls to it.
func TestDiffForgivesWhatIsBack(t *testing.T) {
	t.Parallel()
	r, err := resolverOf(openCatalog(t, newWorld("test")))
	if err != nil {
		t.Fatal(err)
	}
	view := func(seq uint64, addrs ...string) *list {
		v := &catalog.View{Service: "echo", Seq: seq}
		for _, a := range addrs {
			v.Instances = append(v.Instances, at(a))
		}
		return r.lists.of(v)
	}
	with, without := view(1, "a:1", "b:1", "c:1"), view(2, "b:1")
	key := r.Name() + ":echo"
	if ch, ok := r.Diff(key, with.result, without.result); !ok || len(ch.Removed) != 2 {
		t.Errorf("gone: %v", addresses(ch))
	}
	view(3, "a:1", "b:1")
	if ch, ok := r.Diff(key, with.result, without.result); !ok || fmt.Sprint(addresses(ch)) != "[[] [] [c:1]]" {
		t.Errorf("a is back: %v", addresses(ch))
	}
	view(4, "a:1", "b:1", "c:1")
	if ch, ok := r.Diff(key, with.result, without.result); ok {
		t.Errorf("all are back: %v", addresses(ch))
	}
}
