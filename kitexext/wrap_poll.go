package kitexext

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/rpcinfo"

	"github.com/muster-go/muster/naming"
)

// poll is one watch of a foreign resolver. It belongs to Watch's goroutine; failing is under the driver's lock.
type poll struct {
	w       *WrappedResolver
	service string
	failing bool

	flight   chan answer       // of the call in flight; nil while there is none
	last     *naming.Snapshot  // what was emitted last
	skipping map[string]string // addresses that are left out, and why
}

type answer struct {
	list     []*naming.Instance // in the resolver's order
	skipping map[string]string
	err      error
}

// once asks the resolver, or waits for a call that hangs since an earlier poll, and returns the new view; nil where nothing
// has changed.
func (p *poll) once(ctx context.Context) (*naming.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, p.w.o.timeout)
	defer cancel()
	if p.flight == nil {
		flight := make(chan answer, 1)
		p.flight = flight
		go func() { flight <- p.w.resolve(ctx, p.service) }()
	}
	select {
	case a := <-p.flight:
		p.flight = nil
		if a.err != nil && p.w.o.empty != nil && p.w.o.empty(a.err) {
			a = answer{}
		}
		if a.err != nil {
			return nil, a.err
		}
		return p.view(a), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("kitexext: the resolver has not returned for %v: %w", p.w.o.timeout, ctx.Err())
	case <-p.w.closed:
		return nil, naming.ErrClosed
	}
}

// resolve asks the resolver. A panic of it is an error.
func (w *WrappedResolver) resolve(ctx context.Context, service string) (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a = answer{err: fmt.Errorf("kitexext: the resolver panicked: %v", r)}
		}
	}()
	result, err := w.r.Resolve(ctx, w.r.Target(ctx, rpcinfo.NewEndpointInfo(service, "", nil, nil)))
	if err != nil {
		return answer{err: err}
	}
	a.skipping = map[string]string{}
	for _, f := range result.Instances {
		in, err := convert(service, f)
		if err != nil {
			a.skipping[in.Addr] = err.Error()
			continue
		}
		a.list = append(a.list, &in)
	}
	return a
}

// view returns the snapshot that differs from the last one, or nil.
func (p *poll) view(a answer) *naming.Snapshot {
	p.skip(a.skipping)
	list := a.list
	slices.SortStableFunc(list, func(a, b *naming.Instance) int { return cmp.Compare(a.Addr, b.Addr) })
	list = slices.CompactFunc(list, func(a, b *naming.Instance) bool { return a.Addr == b.Addr })
	if p.last != nil {
		keepPointers(list, p.last.Instances)
		if slices.Equal(list, p.last.Instances) {
			return nil
		}
	}
	p.last = &naming.Snapshot{Service: p.service, Instances: list}
	return p.last
}

// keepPointers puts the old instance where the new one is equal. Both lists are sorted.
func keepPointers(list, old []*naming.Instance) {
	for i, in := range list {
		for len(old) > 0 && old[0].Addr < in.Addr {
			old = old[1:]
		}
		if len(old) > 0 && old[0].Equal(in) {
			list[i] = old[0]
		}
	}
}

// skip logs which instances are left out, when that changes.
func (p *poll) skip(now map[string]string) {
	p.w.skipped(len(now))
	if !maps.Equal(now, p.skipping) && len(now) > 0 {
		addr := slices.Min(slices.Collect(maps.Keys(now)))
		p.w.o.log.Warn("some of the resolver's instances can't be called and are left out", "scope", p.w.scope,
			"service", p.service, "count", len(now), "first", addr, "error", now[addr])
	}
	p.skipping = now
}

// convert returns a resolver's instance as one of Muster's; also with an error it has the address.
func convert(service string, f discovery.Instance) (naming.Instance, error) {
	if f == nil || f.Address() == nil {
		return naming.Instance{}, errors.New("it has no address")
	}
	in := naming.Instance{
		Service: service, Network: f.Address().Network(), Addr: f.Address().String(),
		Weight: min(max(f.Weight(), 0), naming.MaxWeight), // Normalize fills 0 in
	}
	if t, ok := f.(interface{ Tags() map[string]string }); ok {
		in.Tags = maps.Clone(t.Tags())
		// What a Muster server has registered carries its stamps.
		maps.DeleteFunc(in.Tags, func(k, _ string) bool { return strings.HasPrefix(k, naming.TagPrefix) })
	}
	return in.Normalize()
}
