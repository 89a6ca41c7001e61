package catalog_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/catalog"
)

func TestLookupAllocatesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := open(t, f, catalog.Options{})
		f.set("svc", insts("a:1", "b:1"))
		want(t, c, "svc", "a:1 b:1")
		ctx := context.Background()
		if n := testing.AllocsPerRun(1000, func() { _, _ = c.Lookup(ctx, "svc") }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	f := newFake()
	f.set("svc", insts("a:1", "b:1"))
	c, err := catalog.New(f, catalog.Options{FirstWait: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()
	if _, err = c.Lookup(ctx, "svc"); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Lookup(ctx, "svc"); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
