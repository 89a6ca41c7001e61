package kitexext

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/rpcinfo"

	"github.com/muster-go/muster/naming"
)

// rubbish is no instance.
type rubbish struct{}

func (rubbish) Address() net.Addr         { return nil }
func (rubbish) Weight() int               { return -1 }
func (rubbish) Tag(string) (string, bool) { return "", false }

// resolving is a resolver that is a function.
func resolving(f func(ctx context.Context, service string) (discovery.Result, error)) discovery.Resolver {
	return discovery.SynthesizedResolver{
		TargetFunc:  func(_ context.Context, to rpcinfo.EndpointInfo) string { return to.ServiceName() },
		ResolveFunc: f,
		NameFunc:    func() string { return "etcd" },
	}
}

// watched begins a watch in a bubble and returns what it emits; the test ends it.
func watched(t *testing.T, w *WrappedResolver) (<-chan naming.Update, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	updates := make(chan naming.Update, 100)
	ended := make(chan error, 1)
	go func() { ended <- w.Watch(ctx, "echo", func(u naming.Update) { updates <- u }) }()
	return updates, func() {
		t.Helper()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// took returns what has been emitted so far.
func took(updates <-chan naming.Update) (all []string) {
	synctest.Wait()
	for {
		select {
		case u := <-updates:
			s := []string{}
			for _, i := range u.Snapshot.Instances {
				s = append(s, i.Addr)
			}
			all = append(all, strings.Join(s, " "))
		default:
			return all
		}
	}
}

func one(addr string) discovery.Result {
	return discovery.Result{Instances: []discovery.Instance{discovery.NewInstance("tcp", addr, 10, nil)}}
}

// An error keeps the last view, however long, and the watch goes on at a bounded rate.
func TestAnErrorKeepsTheView(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var polls, broken atomic.Int64
		w := WrapResolver(resolving(func(context.Context, string) (discovery.Result, error) {
			polls.Add(1)
			if broken.Load() != 0 {
				return discovery.Result{}, errors.New("no instance remains for echo")
			}
			return one("10.0.0.1:80"), nil
		}), Logger(quiet()))
		if l := w.Link(); l.Up || !l.Since.IsZero() {
			t.Errorf("%+v before the first poll", l)
		}
		updates, end := watched(t, w)
		if got := took(updates); len(got) != 1 || got[0] != "10.0.0.1:80" {
			t.Fatalf("%q", got)
		}
		pass(time.Minute)
		if n := polls.Load(); n < 11 || n > 14 {
			t.Errorf("%d polls in a minute", n)
		}
		if !w.Link().Up {
			t.Error("the link is not up")
		}
		broken.Store(1)
		before := polls.Load()
		pass(time.Minute)
		if n := polls.Load() - before; n < 8 || n > 40 {
			t.Errorf("%d failing polls in a minute", n)
		}
		if l := w.Link(); l.Up || l.Err == nil {
			t.Errorf("%+v in an outage", l)
		}
		broken.Store(0)
		pass(10 * time.Second)
		if got := took(updates); len(got) != 0 {
			t.Errorf("%q without a change", got)
		}
		if l := w.Link(); !l.Up || l.Err != nil {
			t.Errorf("%+v after an outage", l)
		}
		end()
	})
}

// NoInstance tells an empty service from an outage.
func TestNoInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var state atomic.Int64
		w := WrapResolver(resolving(func(_ context.Context, service string) (discovery.Result, error) {
			switch state.Load() {
			case 0:
				return discovery.Result{}, fmt.Errorf("no instance remains for %v", service)
			case 1:
				return discovery.Result{}, errors.New("connection refused")
			}
			return one("10.0.0.1:80"), nil
		}), Logger(quiet()), NoInstance(func(err error) bool { return strings.HasPrefix(err.Error(), "no instance remains") }))
		updates, end := watched(t, w)
		defer end()
		if got := took(updates); len(got) != 1 || got[0] != "" {
			t.Fatalf("%q, want an empty view", got)
		}
		for _, s := range []int64{2, 1, 0} {
			state.Store(s)
			pass(12 * time.Second)
		}
		if got := took(updates); len(got) != 2 || got[0] != "10.0.0.1:80" || got[1] != "" {
			t.Errorf("%q", got)
		}
	})
}

// A resolver that ignores its context is called once until it returns, and holds nobody up.
func TestAResolverThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var calls atomic.Int64
		w := WrapResolver(resolving(func(context.Context, string) (discovery.Result, error) {
			if calls.Add(1) == 1 {
				<-release
			}
			return one("10.0.0.1:80"), nil
		}), Logger(quiet()), PollTimeout(time.Second))
		updates, end := watched(t, w)
		pass(time.Hour)
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls of a resolver that hangs", n)
		}
		if w.Link().Up {
			t.Error("the link is up")
		}
		close(release)
		pass(10 * time.Second)
		if got := took(updates); len(got) != 1 {
			t.Errorf("%q", got)
		}
		end()
	})
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := WrapResolver(resolving(func(context.Context, string) (discovery.Result, error) {
			<-release
			return discovery.Result{}, nil
		}), Logger(quiet()))
		_, end := watched(t, w)
		synctest.Wait()
		begin := time.Now()
		end()
		if d := time.Since(begin); d != 0 {
			t.Errorf("the watch ended after %v", d)
		}
		close(release)
	})
}

// Views are sorted, without doubles and what can't be called, and their instances keep their pointers.
func TestViews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var second atomic.Bool
		w := WrapResolver(resolving(func(context.Context, string) (discovery.Result, error) {
			all := []discovery.Instance{
				discovery.NewInstance("tcp", "10.0.0.2:80", 7, map[string]string{"zone": "a", "muster.id": "x"}),
				discovery.NewInstance("tcp", "10.0.0.1:80", 0, nil),
				discovery.NewInstance("tcp", "10.0.0.2:80", 9, nil),
				discovery.NewInstance("tcp", "10.0.0.3:80", 1<<40, nil),
				discovery.NewInstance("unix", "/tmp/sock", 1, nil),
				discovery.NewInstance("tcp", "0.0.0.0:80", 1, nil),
				rubbish{},
				nil,
			}
			if second.Load() {
				all = append(all[:1:1], discovery.NewInstance("tcp", "10.0.0.1:80", 11, nil))
			}
			return discovery.Result{Instances: all}, nil
		}), Logger(quiet()))
		updates, end := watched(t, w)
		defer end()
		first := (<-updates).Snapshot.Instances
		if len(first) != 3 || first[0].Addr != "10.0.0.1:80" || first[1].Addr != "10.0.0.2:80" || first[2].Addr != "10.0.0.3:80" {
			t.Fatalf("%v", first)
		}
		if n := w.Link().Skipped; n != 3 {
			t.Errorf("%d values were counted as no instances, want the unspecified address, the socket, and what has none", n)
		}
		if first[0].Weight != naming.DefaultWeight || first[1].Weight != 7 || first[2].Weight != naming.MaxWeight {
			t.Errorf("weights %d %d %d", first[0].Weight, first[1].Weight, first[2].Weight)
		}
		if tags := first[1].Tags; len(tags) != 1 || tags["zone"] != "a" {
			t.Errorf("tags %q", tags)
		}
		second.Store(true)
		next := (<-updates).Snapshot.Instances
		if len(next) != 2 || next[0] == first[0] || next[0].Weight != 11 || next[1] != first[1] {
			t.Errorf("%v", next)
		}
	})
}

func TestAResolverThatPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		w := WrapResolver(resolving(func(context.Context, string) (discovery.Result, error) {
			if calls.Add(1) == 1 {
				panic("no reason")
			}
			return one("10.0.0.1:80"), nil
		}), Logger(quiet()))
		updates, end := watched(t, w)
		pass(10 * time.Second)
		if got := took(updates); len(got) != 1 {
			t.Errorf("%q", got)
		}
		end()
	})
}

// The resolver's name alone does not tell two registries apart.
func TestWrappedScope(t *testing.T) {
	t.Parallel()
	r := resolving(nil)
	if a, b := WrapResolver(r).Scope(), WrapResolver(r).Scope(); a == b || !strings.HasPrefix(a, "kitex/etcd/") {
		t.Errorf("scopes %q and %q", a, b)
	}
	if s := WrapResolver(r, PollScope("dev")).Scope(); s != "kitex/etcd/dev" {
		t.Errorf("scope %q", s)
	}
}

func TestWrapResolverOfNothing(t *testing.T) {
	t.Parallel()
	w := WrapResolver(nil)
	if err := w.Watch(t.Context(), "echo", nil); !errors.Is(err, naming.ErrInvalid) {
		t.Error(err)
	}
}
