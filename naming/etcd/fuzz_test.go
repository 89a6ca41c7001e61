package etcd

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/time/rate"

	"github.com/muster-go/muster/naming"
)

// FuzzKey: what is taken for a service and an address makes exactly the key that it was taken from, so that no two keys can
// stand for one instance, and none for one of another branch.
func FuzzKey(f *testing.F) {
	for _, key := range append(badKeys(), "10.0.0.1:8888", "[fd00::1]:8888", "user-svc/10.0.0.1:8888", "a/b/10.0.0.1:8888", "svc/host.example:80") {
		if len(key) < 1000 {
			f.Add([]byte(key))
		}
	}
	f.Fuzz(func(t *testing.T, rest []byte) {
		l := layout{group: "default"}
		if addr, ok := addrOf(l.serving("user-svc"), append([]byte(l.serving("user-svc")), rest...)); ok {
			if k := l.member("user-svc", addr); k.serving != l.serving("user-svc")+string(rest) || strings.Count(k.serving, "/") != 2 {
				t.Fatalf("%q is taken for the address %q", rest, addr)
			}
		}
		all := &fleetView{}
		if service, addr, ok := all.split(string(rest)); ok {
			k := l.member(service, addr)
			if k.serving != l.group+"/"+string(rest) || strings.HasPrefix(k.serving, ".") || strings.Count(k.serving, "/") != 2 {
				t.Fatalf("%q is taken for %q at %q", rest, service, addr)
			}
		}
	})
}

// FuzzDecodeOrder: an order holds for the instance that it names, as long as it says, and for nobody else.
func FuzzDecodeOrder(f *testing.F) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Add("id-1", []byte(`{"id":"id-1","by":"ann"}`))
	f.Add("id-1", []byte(`{"id":"id-1","by":"ann","until":"2026-01-02T04:00:00Z"}`))
	f.Add("", []byte(`{}`))
	f.Fuzz(func(t *testing.T, id string, value []byte) {
		if o := decodeOrder(id, value, now); o != nil {
			if !o.Until.IsZero() && !now.Before(o.Until) {
				t.Fatalf("an order that ended at %v is in force", o.Until)
			}
			if decodeOrder(id+"x", value, now) != nil {
				t.Fatalf("%q holds for two instances", value)
			}
		}
	})
}

// script turns bytes into writes to a few keys, so that a fuzzer can find an order in which things go wrong. Values come from
// valid ones of each kind, from poison, and from the fuzzer itself.
func script(ns naming.Namespace, dir string, ops []byte, free []byte) []*clientv3.Event {
	addrs := []string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "junk", "10.0.0.1:1/x", "\xff:1"}
	var events []*clientv3.Event
	for _, op := range ops {
		addr := addrs[int(op)%len(addrs)]
		e := &clientv3.Event{Kv: &mvccpb.KeyValue{Key: []byte(dir + addr), ModRevision: int64(len(events) + 2)}}
		inst := naming.Instance{Service: "user-svc", Network: "tcp", Addr: addr, Weight: 1 + int(op>>6), ID: "id"}
		state := ""
		switch op >> 3 % 6 {
		case 0:
			e.Type = clientv3.EventTypeDelete
		case 1:
			e.Kv.Value = free
		case 2:
			e.Kv.Value = []byte("junk")
		case 3:
			state = stateLeaving
		case 4:
			state = stateDegraded
		}
		if e.Type == clientv3.EventTypePut && e.Kv.Value == nil {
			v, err := encodeServing(ns, inst, state)
			if err != nil {
				v = "junk"
			}
			e.Kv.Value = []byte(v)
		}
		events = append(events, e)
	}
	return events
}

func testView(ns naming.Namespace, emit func(naming.Update)) *serviceView {
	d := &Driver{
		cfg: Config{Namespace: ns, Logger: slog.New(slog.DiscardHandler)}, keys: layout{group: ns.Group()},
		complaints: rate.Sometimes{First: 3, Interval: time.Hour},
	}
	return &serviceView{
		d: d, service: "user-svc", dir: d.keys.serving("user-svc"), emit: emit, all: map[string]member{},
	}
}

// FuzzView: whatever comes in whatever order, each view is sorted, holds real instances alone, and is the one that somebody
// who read etcd at that moment would have. An instance is announced as left only if it is not in the view.
func FuzzView(f *testing.F) {
	ns := testNamespace(f, "dev")
	f.Add([]byte{40, 41, 24, 0, 40, 16, 44}, []byte(`{"address":"10.0.0.1:1"}`), uint8(3))
	f.Add([]byte{40, 41, 42, 24, 25, 26, 0, 1, 2}, []byte(`{"address":"10.0.0.2:1","tags":{"muster.state":"leaving"}}`), uint8(1))
	f.Fuzz(func(t *testing.T, ops, free []byte, every uint8) {
		ops = ops[:min(len(ops), 100)]
		var last naming.Update
		v := testView(ns, func(u naming.Update) { last = u })
		events := script(ns, v.dir, ops, free)
		now := map[string][]byte{} // what etcd holds
		for i, e := range events {
			v.apply(events[i : i+1])
			if e.Type == clientv3.EventTypeDelete {
				delete(now, string(e.Kv.Key))
			} else {
				now[string(e.Kv.Key)] = e.Kv.Value
			}
			if every > 0 && i%int(every) != 0 {
				continue // conflated with the next
			}
			must(t, v.settle(t.Context(), e.Kv.ModRevision))
			checkView(t, ns, v.dir, now, last)
		}
	})
}

func checkView(t *testing.T, ns naming.Namespace, dir string, now map[string][]byte, got naming.Update) {
	t.Helper()
	fresh := testView(ns, func(naming.Update) {})
	for key, value := range now {
		fresh.put([]byte(key), value)
	}
	must(t, fresh.settle(t.Context(), 1))
	if got.Snapshot == nil {
		t.Fatal("nothing was emitted")
	}
	if a, b := text(got.Snapshot.Instances), text(fresh.list); a != b {
		t.Fatalf("the view is\n%s, and etcd holds\n%s", a, b)
	}
	if !slices.IsSortedFunc(got.Snapshot.Instances, func(a, b *naming.Instance) int { return strings.Compare(a.Addr, b.Addr) }) {
		t.Fatalf("not sorted: %s", text(got.Snapshot.Instances))
	}
	for _, i := range got.Snapshot.Instances {
		if _, err := i.Normalize(); err != nil || dir+i.Addr == "" {
			t.Fatalf("%+v is no instance: %v", i, err)
		}
		if slices.Contains(got.Left, i.Addr) {
			t.Fatalf("%s has left and is in the view", i.Addr)
		}
	}
}

func text(list []*naming.Instance) string {
	var b strings.Builder
	for _, i := range list {
		fmt.Fprintf(&b, "%+v\n", *i)
	}
	return b.String()
}

// FuzzFleet: whatever the three directories hold, the list for people is sorted, has each address once, and real ones alone.
func FuzzFleet(f *testing.F) {
	ns := testNamespace(f, "dev")
	st := naming.Status{State: "serving", Probes: map[string]string{"db": "ok"}}
	serving, err := encodeServing(ns, naming.Instance{Service: "user-svc", Network: "tcp", Addr: "10.0.0.1:1", Weight: 1, ID: "id-1"}, "")
	must(f, err)
	f.Add("user-svc/10.0.0.1:1", []byte(encodeRoster(ns, "id-1", st)), []byte(serving), []byte(`{"id":"id-1","by":"ann"}`))
	f.Add("user-svc/10.0.0.1:1/x", []byte("{}"), []byte(nil), []byte("junk"))
	f.Fuzz(func(t *testing.T, key string, roster, serving, order []byte) {
		v := &fleetView{ns: ns}
		v.raw = [3]map[string][]byte{
			rosterDir:   {key: roster, key + "0": roster},
			servingDir:  {key: serving, "a/" + key: serving},
			operatorDir: {key: order},
		}
		seen := map[string]bool{}
		for _, m := range v.fleet(1).Members {
			if naming.CheckService(m.Service) != nil || naming.CheckAddr(m.Addr) != nil || seen[m.Service+"/"+m.Addr] {
				t.Fatalf("%+v is in the list", m)
			}
			seen[m.Service+"/"+m.Addr] = true
			if m.Offline != nil && m.ID == "" {
				t.Fatalf("an order for nobody: %+v", m)
			}
		}
	})
}
