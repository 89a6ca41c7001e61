package rig

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// View is what etcd holds at one moment.
type View struct {
	Serving map[string]string // value by key; those that announce their leave are not in it
	Roster  map[string]string
	Keys    map[string]int64 // the lease of each key that instances write, by key
	Leases  map[int64]bool
}

// Look reads everything.
func (o *Observer) Look(ctx context.Context) (View, error) {
	v := View{Serving: map[string]string{}, Roster: map[string]string{}, Keys: map[string]int64{}, Leases: map[int64]bool{}}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	cli := o.Client()
	r, err := cli.Get(ctx, root, clientv3.WithPrefix())
	if err != nil {
		return v, err
	}
	for _, kv := range r.Kvs {
		k := string(kv.Key)
		switch {
		case strings.Contains(k, "/.guard/"), strings.Contains(k, "/.operator/"):
			continue
		case strings.Contains(k, "/.roster/"):
			v.Roster[k] = string(kv.Value)
		case strings.Contains(k, "/.claim/"):
		case !strings.Contains(string(kv.Value), leavingMark):
			v.Serving[k] = string(kv.Value)
		}
		v.Keys[k] = kv.Lease
	}
	l, err := cli.Leases(ctx)
	if err != nil {
		return v, err
	}
	for _, s := range l.Leases {
		v.Leases[int64(s.ID)] = true
	}
	return v, nil
}

// Resolve asks the unmodified resolver for a service's addresses.
func (o *Observer) Resolve(ctx context.Context, service string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	o.mu.Lock()
	resolver := o.resolver
	o.mu.Unlock()
	r, err := resolver.Resolve(ctx, service)
	if err != nil {
		if strings.Contains(err.Error(), "no instance remains") {
			return nil, nil
		}
		return nil, err
	}
	var all []string
	for _, i := range r.Instances {
		all = append(all, i.Address().String())
	}
	slices.Sort(all)
	return all, nil
}

// AwaitAnswer waits until etcd answers, and returns since when.
func (o *Observer) AwaitAnswer(ctx context.Context) (time.Time, error) {
	for {
		rctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		_, err := o.Client().Get(rctx, "x", clientv3.WithCountOnly())
		cancel()
		if err == nil {
			return time.Now(), nil
		}
		if ctx.Err() != nil {
			return time.Time{}, fmt.Errorf("etcd does not answer the observer: %w", err)
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// AwaitKey waits until a key is there, or is not, and returns when that was.
func (o *Observer) AwaitKey(ctx context.Context, key string, there bool) (time.Time, error) {
	for {
		rctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		r, err := o.Client().Get(rctx, key, clientv3.WithCountOnly())
		cancel()
		if err == nil && (r.Count > 0) == there {
			return time.Now(), nil
		}
		if ctx.Err() != nil {
			return time.Time{}, fmt.Errorf("%s: want it there: %v: %w", key, there, context.Cause(ctx))
		}
		pause(ctx, 10*time.Millisecond)
	}
}

// addresses returns the part behind the service of each serving key, by service.
func (v View) addresses(service string) []string {
	var all []string
	for k := range maps.Keys(v.Serving) {
		if a, ok := strings.CutPrefix(k, ServingKey(service, "")); ok {
			all = append(all, a)
		}
	}
	slices.Sort(all)
	return all
}

// idle returns the leases that no key is on: those of a process that has gone, or that was given more than one.
func (v View) idle() []int64 {
	used := map[int64]bool{}
	for _, lease := range v.Keys {
		used[lease] = true
	}
	var all []int64
	for lease := range v.Leases {
		if !used[lease] {
			all = append(all, lease)
		}
	}
	slices.Sort(all)
	return all
}
