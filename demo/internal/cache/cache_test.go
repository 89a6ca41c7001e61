package cache

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type row struct{ ID int64 }

func open(t *testing.T, addr string) *Cache {
	t.Helper()
	c, err := Open(addr, "test:", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestThroughLoadsOnce(t *testing.T) {
	t.Parallel()
	mr := miniredis.RunT(t)
	for name, addr := range map[string]string{"embedded": "", "by address": mr.Addr()} {
		t.Run(name, func(t *testing.T) {
			c := open(t, addr)
			loads := 0
			for range 3 {
				v, err := Through(t.Context(), c, "row:7", func(context.Context) (*row, error) {
					loads++
					return &row{ID: 7}, nil
				})
				if err != nil || v == nil || v.ID != 7 {
					t.Fatalf("Through = %+v, %v", v, err)
				}
			}
			if loads != 1 {
				t.Fatalf("loaded %d times, want once", loads)
			}
			if err := c.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
	if ttl := mr.TTL("test:row:7"); ttl <= 0 {
		t.Fatalf("the key's time to live is %v: it would stay for ever", ttl)
	}
}

func TestErrorsAreNotCached(t *testing.T) {
	t.Parallel()
	c := open(t, "")
	want := errors.New("no such row")
	for range 2 {
		if _, err := Through(t.Context(), c, "row:8", func(context.Context) (*row, error) { return nil, want }); !errors.Is(err, want) {
			t.Fatalf("error %v, want %v", err, want)
		}
	}
	v, err := Through(t.Context(), c, "row:8", func(context.Context) (*row, error) { return &row{ID: 8}, nil })
	if err != nil || v.ID != 8 {
		t.Fatalf("Through = %+v, %v", v, err)
	}
}

func TestGarbageIsLoadedAnew(t *testing.T) {
	t.Parallel()
	mr := miniredis.RunT(t)
	c := open(t, mr.Addr())
	if err := mr.Set("test:row:9", "{not json"); err != nil {
		t.Fatal(err)
	}
	v, err := Through(t.Context(), c, "row:9", func(context.Context) (*row, error) { return &row{ID: 9}, nil })
	if err != nil || v.ID != 9 {
		t.Fatalf("Through = %+v, %v", v, err)
	}
}

// Redis breaks and heals: calls are answered all the while, and only the probe says so.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	mr := miniredis.RunT(t)
	c := open(t, mr.Addr())
	get := func() {
		t.Helper()
		v, err := Through(t.Context(), c, "row:1", func(context.Context) (*row, error) { return &row{ID: 1}, nil })
		if err != nil || v.ID != 1 {
			t.Fatalf("Through = %+v, %v", v, err)
		}
	}
	get()
	mr.Close()
	get()
	if err := c.Ping(t.Context()); err == nil {
		t.Fatal("Ping passes without a Redis")
	}
	if err := mr.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Fatalf("Ping fails although Redis is back: %v", err)
	}
	get()
}
