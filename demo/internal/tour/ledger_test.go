package tour

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/demo/kitex_gen/user"
)

func answered(took time.Duration, hops ...*user.Hop) call { return call{took: took, hops: hops} }

func hop(instance string, us int64) *user.Hop { return &user.Hop{Instance: instance, BeganUs: us} }

func TestTally(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.add(answered(9*time.Second, hop("old", 1)))
	from := l.mark()
	l.add(answered(3*time.Millisecond, hop("a", 300), hop("b", 310)))
	l.add(call{err: errors.New("broken")})
	l.add(answered(1*time.Millisecond, hop("a", 100)))
	l.add(call{err: errors.New("broken")})
	l.add(answered(2*time.Millisecond, hop("a", 200)))

	n := l.since(from)
	if n.calls != 5 || n.failed != 2 || n.String() != "2 of 5" || len(n.errors) != 1 || n.errors[0] != "broken" {
		t.Errorf("tally %+v", n)
	}
	if n.answered["a"] != 3 || n.answered["b"] != 1 || n.answered["old"] != 0 {
		t.Errorf("answered %v", n.answered)
	}
	if n.first["a"] != time.UnixMicro(100) || n.last["a"] != time.UnixMicro(300) {
		t.Errorf("a answered from %v to %v", n.first["a"], n.last["a"])
	}
	if n.percentile(0) != time.Millisecond || n.percentile(50) != 2*time.Millisecond || n.percentile(100) != 3*time.Millisecond {
		t.Errorf("percentiles %v %v %v", n.percentile(0), n.percentile(50), n.percentile(100))
	}
	if empty := newLedger().since(7); empty.calls != 0 || empty.percentile(50) != 0 {
		t.Errorf("empty tally %+v", empty)
	}
}

func TestAwaitSeesPastAndFuture(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		l.add(answered(0, hop("a", 1)))
		if c, err := l.await(t.Context(), 0, "call by a", func(c call) bool { return c.by("a") }); err != nil || c.by("b") {
			t.Fatalf("await = %+v, %v", c, err)
		}
		go func() {
			time.Sleep(time.Second)
			l.add(answered(0, hop("a", 2)))
			l.add(answered(0, hop("b", 3)))
		}()
		if _, err := l.await(t.Context(), 1, "call by b", func(c call) bool { return c.by("b") }); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("too late"))
		defer cancel()
		if err := l.awaitMore(ctx, 1); err == nil || err.Error() != "no 1 more calls: too late" {
			t.Fatalf("awaitMore = %v", err)
		}
	})
}

func TestLedgerForgets(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.keep(10)
	for us := range int64(1000) {
		l.add(answered(0, hop("a", us)))
	}
	n := l.since(0)
	if n.calls < 10 || n.calls > 20 || n.last["a"] != time.UnixMicro(999) {
		t.Fatalf("%d calls kept, the last of %v", n.calls, n.last["a"])
	}
}
