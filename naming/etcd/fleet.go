package etcd

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

// Fleet is what etcd holds of the services of a namespace and group, for people: everything that a roster, the serving keys
// and the operator's orders say. It is immutable.
type Fleet struct {
	// Revision is etcd's.
	Revision int64
	// Members are sorted by service, then address.
	Members []FleetMember
}

// FleetMember is one instance. Its texts were written by other programs: escape them for a terminal.
type FleetMember struct {
	Service, Addr string
	// ID is empty where something else than Muster registered the instance; only Service, Addr, Listed and Weight are known
	// of it then.
	ID string
	// Status is what the instance itself says, as of its last transition.
	Status naming.Status
	// Listed says that the instance is listed for traffic; Degraded that it says so to clients.
	Listed, Degraded bool
	// Weight is that of the serving key; 0 where there is none.
	Weight int
	// Offline is the operator's order that is in force for this instance.
	Offline *naming.Offline
}

// Fleet reads all instances of a service, or of every service where it is empty, at one revision. It asks etcd each time
// and is meant for people and their scripts; programs that call a service use Watch.
func (d *Driver) Fleet(ctx context.Context, service string) (*Fleet, error) {
	ctx, stop, err := d.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	v, err := d.fleetView(service)
	if err != nil {
		return nil, err
	}
	h, err := d.conn.get(ctx)
	if err != nil {
		return nil, err
	}
	rev, err := v.read(ctx, h)
	if err != nil {
		return nil, d.conn.explain(fmt.Errorf("etcd: list: %w", err))
	}
	return v.fleet(rev), nil
}

// WatchFleet calls emit with the Fleet of a service, or of every service where it is empty, and again after each change,
// until ctx ends; it returns ctx's error then. Whatever happens to etcd meanwhile it goes on trying, for ever. The calls
// come from WatchFleet's own goroutine; a slow emit makes later changes join into one. What one transaction changed may
// come in two calls.
func (d *Driver) WatchFleet(ctx context.Context, service string, emit func(*Fleet)) error {
	ctx, stop, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer stop()
	v, err := d.fleetView(service)
	if err != nil {
		return err
	}
	follow(ctx, d.conn, follower{
		name: v.dirs[0], keys: v.dirs[:], spread: viewSpread, read: v.read, apply: v.apply,
		settle: func(_ context.Context, rev int64) error { emit(v.fleet(rev)); return nil },
	})
	return context.Cause(ctx)
}

// The directories of a fleetView.
const (
	rosterDir = iota
	servingDir
	operatorDir
)

// fleetView is the raw content of the three directories.
type fleetView struct {
	d       *Driver
	ns      naming.Namespace
	service string // empty for all
	dirs    [3]string
	// raw holds the values by directory, then by what follows the directory in the key.
	raw [3]map[string][]byte
}

func (d *Driver) fleetView(service string) (*fleetView, error) {
	v := &fleetView{d: d, ns: d.cfg.Namespace, service: service}
	if service != "" {
		if err := naming.CheckService(service); err != nil {
			return nil, err
		}
		v.dirs = [3]string{d.keys.roster(service), d.keys.serving(service), d.keys.operator(service)}
		return v, nil
	}
	g := d.keys.group + "/"
	v.dirs = [3]string{".roster/" + g, g, ".operator/" + g}
	return v, nil
}

func (v *fleetView) read(ctx context.Context, h *handle) (int64, error) {
	var rev int64
	for i, dir := range v.dirs {
		v.raw[i] = map[string][]byte{}
		at, err := readRange(ctx, h, dir, rev, func(key, value []byte) { v.put(i, strings.TrimPrefix(string(key), dir), value) })
		if err != nil {
			return 0, err
		}
		rev = at
	}
	return rev, nil
}

func (v *fleetView) apply(events []*clientv3.Event) {
	for _, e := range events {
		for i, dir := range v.dirs {
			rest, ok := strings.CutPrefix(string(e.Kv.Key), dir)
			switch {
			case !ok:
			case e.Type == clientv3.EventTypeDelete:
				delete(v.raw[i], rest)
			default:
				v.put(i, rest, e.Kv.Value)
			}
		}
	}
}

// put takes in one value, and complains where fleet will leave it out.
func (v *fleetView) put(dir int, rest string, value []byte) {
	v.raw[dir][rest] = value
	why := ""
	switch service, addr, ok := v.split(rest); {
	case !ok:
		why = noAddress
	case dir == rosterDir:
		if _, ok := decodeRoster(v.ns, value); !ok {
			why = noEntry
		}
	case dir == operatorDir:
		if _, ok := parseOrder(value); !ok {
			why = noOrder
		}
	default:
		if _, _, err := decodeServing(v.ns, service, addr, value); err != nil {
			why = err.Error()
		}
	}
	if why != "" {
		v.d.complain(v.dirs[dir]+rest, why)
	}
}

// fleet makes sense of the values. What is no instance of this namespace is left out.
func (v *fleetView) fleet(rev int64) *Fleet {
	now := time.Now()
	all := map[string]*FleetMember{} // by service and address
	for rest, value := range v.raw[rosterDir] {
		service, addr, ok := v.split(rest)
		e, known := decodeRoster(v.ns, value)
		if !ok || !known {
			continue
		}
		m := &FleetMember{Service: service, Addr: addr, ID: e.ID, Status: naming.Status{
			State: e.State, Unfit: e.Unfit, Probes: e.Probes, Started: e.Started, Version: e.Version,
		}}
		m.Offline = decodeOrder(e.ID, v.raw[operatorDir][rest], now)
		all[rest] = m
	}
	for rest, value := range v.raw[servingDir] {
		service, addr, ok := v.split(rest)
		if !ok {
			continue
		}
		inst, leaving, err := decodeServing(v.ns, service, addr, value)
		if err != nil {
			continue
		}
		m := all[rest]
		if m == nil { // registered by something else, or off the roster by mistake
			m = &FleetMember{Service: service, Addr: addr, ID: inst.ID}
			all[rest] = m
		}
		m.Listed, m.Degraded, m.Weight = !leaving, inst.Degraded, inst.Weight
	}
	f := &Fleet{Revision: rev, Members: make([]FleetMember, 0, len(all))}
	for _, m := range all {
		f.Members = append(f.Members, *m)
	}
	slices.SortFunc(f.Members, func(a, b FleetMember) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Addr, b.Addr))
	})
	return f
}

// split takes what follows a directory apart.
func (v *fleetView) split(rest string) (service, addr string, ok bool) {
	service, addr = v.service, rest
	if service == "" {
		if service, addr, ok = strings.Cut(rest, "/"); !ok {
			return "", "", false
		}
	}
	return service, addr, naming.CheckService(service) == nil && naming.CheckAddr(addr) == nil
}
