package kitexext

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/registry"
	"github.com/cloudwego/kitex/pkg/rpcinfo"

	"github.com/muster-go/muster/naming"
)

// kitexWorld is a registry in memory that was written for Kitex alone.
type kitexWorld struct {
	mu     sync.Mutex
	away   bool
	listed map[string]discovery.Instance // by prefix/service/address
}

func newKitexWorld() *kitexWorld { return &kitexWorld{listed: map[string]discovery.Instance{}} }

func (w *kitexWorld) setAway(away bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = away
}

func (w *kitexWorld) has(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.listed[key] != nil
}

// kitexRegistry is one process's registry.Registry and discovery.Resolver of a kitexWorld.
type kitexRegistry struct {
	w      *kitexWorld
	prefix string
}

var errNoKitexWorld = errors.New("connection refused")

func (r *kitexRegistry) Register(info *registry.Info) error {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if r.w.away {
		return errNoKitexWorld
	}
	r.w.listed[r.prefix+"/"+info.ServiceName+"/"+info.Addr.String()] = discovery.NewInstance(info.Addr.Network(), info.Addr.String(), info.Weight, maps.Clone(info.Tags))
	clear(info.Tags) // it is its own
	return nil
}

func (r *kitexRegistry) Deregister(info *registry.Info) error {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if r.w.away {
		return errNoKitexWorld
	}
	delete(r.w.listed, r.prefix+"/"+info.ServiceName+"/"+info.Addr.String())
	return nil
}

func (r *kitexRegistry) Name() string { return "memory" }

func (r *kitexRegistry) Target(_ context.Context, to rpcinfo.EndpointInfo) string {
	return to.ServiceName()
}

func (r *kitexRegistry) Resolve(_ context.Context, service string) (discovery.Result, error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if r.w.away {
		return discovery.Result{}, errNoKitexWorld
	}
	res := discovery.Result{Cacheable: true, CacheKey: service}
	for k, i := range r.w.listed {
		if strings.HasPrefix(k, r.prefix+"/"+service+"/") {
			res.Instances = append(res.Instances, i)
		}
	}
	return res, nil
}

func (r *kitexRegistry) Diff(key string, prev, next discovery.Result) (discovery.Change, bool) {
	return discovery.DefaultDiff(key, prev, next)
}

// calls is a registry whose calls wait to be let go, one by one.
type calls struct {
	mu      sync.Mutex
	inside  int
	most    int
	log     []string
	arrived chan *heldCall
}

// heldCall is a call that has arrived.
type heldCall struct {
	name   string
	info   *registry.Info
	answer chan error
}

func newCalls() *calls { return &calls{arrived: make(chan *heldCall, 100)} }

func (c *calls) Register(info *registry.Info) error   { return c.call("Register", info) }
func (c *calls) Deregister(info *registry.Info) error { return c.call("Deregister", info) }

func (c *calls) call(name string, info *registry.Info) error {
	c.mu.Lock()
	c.inside++
	c.most = max(c.most, c.inside)
	c.log = append(c.log, name+" "+info.Addr.String())
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.inside--
	}()
	h := &heldCall{name, info, make(chan error)}
	c.arrived <- h
	err := <-h.answer
	if errors.Is(err, errPanics) {
		panic("as asked")
	}
	return err
}

var errPanics = errors.New("panic")

// expect returns the next call, which must be that one.
func (c *calls) expect(tb testing.TB, name string) *heldCall {
	tb.Helper()
	h := <-c.arrived
	if h.name != name {
		tb.Fatalf("%s was called, want %s", h.name, name)
	}
	return h
}

// answer lets the next call, which must be that one, return.
func (c *calls) answer(tb testing.TB, name string, err error) {
	tb.Helper()
	c.expect(tb, name).answer <- err
}

func (c *calls) story() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log)
}

// atOnce returns how many calls there have been at once.
func (c *calls) atOnce() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func instanceAt(addr string) naming.Instance {
	return naming.Instance{Service: "echo", Addr: addr, ID: "id-" + addr}
}

// pass lets time pass in a synctest bubble.
func pass(d time.Duration) { time.Sleep(d) } // in the time of a bubble
