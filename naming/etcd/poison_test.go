package etcd

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// poison is what a stranger may write for an instance at addr; none of it is one.
func poison(addr string) map[string]string {
	deep := strings.Repeat("[", 1<<20)
	return map[string]string{
		"empty":                  "",
		"no JSON":                "hello",
		"cut off":                `{"network":"tcp","address":"` + addr + `","weight":10,"tags":{"a":`,
		"a number":               "1",
		"null":                   "null",
		"deep":                   deep,
		"deep tags":              `{"address":"` + addr + `","tags":` + deep[:60_000] + `}`,
		"1 MiB of tags":          `{"network":"tcp","address":"` + addr + `","weight":1,"tags":{"a":"` + strings.Repeat("x", 1<<20) + `"}}`,
		"1 MiB of a weight":      `{"address":"` + addr + `","weight":` + strings.Repeat("9", 1<<20) + `}`,
		"not UTF-8":              `{"address":"` + addr + `","tags":{"a":"` + "\xff\xfe" + `"}}`,
		"binary":                 "\x00\x01\x02\xff",
		"another address":        `{"network":"tcp","address":"10.9.9.9:1","weight":10}`,
		"another namespace":      `{"network":"tcp","address":"` + addr + `","weight":10,"tags":{"muster.namespace":"prod"}}`,
		"another group":          `{"network":"tcp","address":"` + addr + `","weight":10,"tags":{"muster.group":"blue"}}`,
		"negative weight":        `{"network":"tcp","address":"` + addr + `","weight":-1}`,
		"the least weight":       `{"network":"tcp","address":"` + addr + `","weight":-9223372036854775808}`,
		"absurd weight":          `{"network":"tcp","address":"` + addr + `","weight":9223372036854775807}`,
		"beyond any integer":     `{"network":"tcp","address":"` + addr + `","weight":1e400}`,
		"half a weight":          `{"network":"tcp","address":"` + addr + `","weight":0.5}`,
		"an id of 60 kB":         `{"network":"tcp","address":"` + addr + `","weight":1,"tags":{"muster.id":"` + strings.Repeat("x", 60_000) + `"}}`,
		"unknown muster. tags":   `{"network":"tcp","address":"` + addr + `","weight":1,"tags":{"muster.admin":"yes"}}`,
		"tags that are a list":   `{"network":"tcp","address":"` + addr + `","weight":1,"tags":["muster.id"]}`,
		"an address of an array": `{"network":"tcp","address":["` + addr + `"],"weight":1}`,
	}
}

// badKeys are what may stand where an address should.
func badKeys() []string {
	return []string{
		"", "hello", "10.0.0.1", ":80", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:080", "10.0.0.1:-1", "0.0.0.0:80", "[::]:80",
		"169.254.1.1:80", "[fe80::1]:80", "224.0.0.1:80", "256.1.1.1:80", "1.2.3:80", "::1:80", "[10.0.0.1]:80", "a b:80", "a\n:80", "a\x00:80", "\xff:80",
		"10.0.0.1:80/extra", "/10.0.0.1:80", "../10.0.0.1:80", "10.0.0.1:80/", "x/y/z/10.0.0.1:80", strings.Repeat("a", 300) + ":80",
		strings.Repeat("x", 60_000),
	}
}

// lines counts what is logged, and how long the longest line is.
type lines struct {
	slog.Handler
	n, longest *atomic.Int64
}

func newLines() lines {
	return lines{slog.DiscardHandler, new(atomic.Int64), new(atomic.Int64)}
}

func (l lines) Enabled(context.Context, slog.Level) bool { return true }
func (l lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l lines) WithGroup(string) slog.Handler            { return l }

func (l lines) Handle(_ context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo {
		return nil
	}
	l.n.Add(1)
	size := int64(len(r.Message))
	r.Attrs(func(a slog.Attr) bool { size += int64(len(a.Key) + len(a.Value.String())); return true })
	for old := l.longest.Load(); size > old && !l.longest.CompareAndSwap(old, size); old = l.longest.Load() {
	}
	return nil
}

func putAll(t *testing.T, cli *clientv3.Client, kvs map[string]string) {
	t.Helper()
	var ops []clientv3.Op
	size := 0
	flush := func() {
		if len(ops) > 0 {
			_, err := cli.Txn(within(t)).Then(ops...).Commit()
			must(t, err)
		}
		ops, size = nil, 0
	}
	for k, v := range kvs {
		if len(ops) == 120 || size+len(v) > 1<<20 {
			flush()
		}
		ops = append(ops, clientv3.OpPut(k, v))
		size += len(v)
	}
	flush()
}

// TestPoisonedRegistry: a stranger who may write under the prefix fills all of its branches with everything that is no
// instance. Who was watching before sees nothing of it and goes on seeing changes; who comes later sees the instances alone;
// neither says much.
func TestPoisonedRegistry(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	cli := node.Client()
	log := newLines()
	logged := func(c *Config) { c.Logger = slog.New(log) }
	d := newDriver(t, node.Endpoint(), logged)
	m := join(t, d, claim("user-svc", 1))
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	other := join(t, d, claim("user-svc", 2))
	must(t, other.Publish(within(t), naming.Status{State: "serving"}, false))
	early := newDriver(t, node.Endpoint(), logged)
	updates := watched(t, early, "user-svc")
	until(t, updates, "10.0.0.1:8888", "10.0.0.2:8888")
	fleets := make(chan *Fleet, 1)
	fctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = early.WatchFleet(fctx, "", func(f *Fleet) {
			select {
			case <-fleets:
			default:
			}
			fleets <- f
		})
	}()
	defer func() { stop(); <-ended }()

	junk := map[string]string{}
	n := 0
	for _, dir := range []string{"muster/dev/default/user-svc/", "muster/dev/.roster/default/user-svc/", "muster/dev/.operator/default/user-svc/"} {
		for _, what := range poison("10.6.6.6:1") {
			n++
			addr := fmt.Sprintf("10.6.%d.%d:1", n/250, n%250+1)
			junk[dir+addr] = strings.ReplaceAll(what, "10.6.6.6:1", addr)
		}
		for i, key := range badKeys() {
			junk[dir+key] = fmt.Sprintf(`{"id":"x%d","network":"tcp","address":%q,"weight":10}`, i, key)
		}
	}
	for _, key := range []string{"muster/dev/", "muster/dev/default", "muster/dev/default/", "muster/dev//user-svc/10.0.0.1:1", "muster/dev/.guard/default/user-svc/x", "muster/dev/.roster/", "muster/dev/blue/user-svc/10.0.0.1:1", "muster/dev/\xff/\xfe"} {
		junk[key] = "junk"
	}
	for i := range 10_000 {
		junk[fmt.Sprintf("muster/dev/default/user-svc/junk-%d", i)] = "junk"
	}
	began := time.Now()
	putAll(t, cli, junk)
	t.Logf("%d junk keys written in %v", len(junk), time.Since(began))

	// The early watcher: the next thing that it sees is the next real change.
	began = time.Now()
	must(t, other.Leave(within(t)))
	until(t, updates, "10.0.0.1:8888")
	t.Logf("an early watcher sees a change %v later; %d skipped", time.Since(began), early.Link().Skipped)
	if n := early.Link().Skipped; n < 10_000 {
		t.Errorf("%d values skipped, want 10,000 and more", n)
	}
	for deadline := within(t); ; {
		f := recvFleet(t, deadline, fleets)
		if len(f.Members) == 1 {
			break
		}
	}

	// A late one.
	late := newDriver(t, node.Endpoint(), logged)
	began = time.Now()
	u := <-watched(t, late, "user-svc")
	t.Logf("a late watcher has its first view after %v; %d skipped", time.Since(began), late.Link().Skipped)
	if got := fmt.Sprint(addrsOf(u)); got != "[10.0.0.1:8888]" {
		t.Errorf("the first view is %s", got)
	}
	// The operator's list and the floor's census.
	began = time.Now()
	f, err := late.Fleet(within(t), "")
	must(t, err)
	t.Logf("the list of everything took %v", time.Since(began))
	if len(f.Members) != 1 || f.Members[0].Addr != "10.0.0.1:8888" {
		t.Errorf("the list has %d members: %+v", len(f.Members), f.Members)
	}
	began = time.Now()
	c, err := m.Census(within(t))
	must(t, err)
	t.Logf("the census took %v", time.Since(began))
	if c.Alive != 1 || c.Serving != 1 {
		t.Errorf("census %+v, want one", c)
	}
	// The lone instance is unfit: one that is alone obeys its probes, whatever a stranger wants to be counted as.
	if o := withdraw(t, m, naming.Percent(50)); o != naming.Withdrawn {
		t.Errorf("withdraw = %v", o)
	}
	until(t, updates)
	must(t, m.Leave(within(t)))
	if n := log.n.Load(); n > 40 {
		t.Errorf("%d lines logged", n)
	}
	if n := log.longest.Load(); n > 2000 {
		t.Errorf("a line of %d bytes", n)
	}
}

func recvFleet(t *testing.T, ctx context.Context, fleets <-chan *Fleet) *Fleet { //nolint:revive // the deadline is the caller's
	t.Helper()
	select {
	case f := <-fleets:
		return f
	case <-ctx.Done():
		t.Fatal("no fleet of one")
		return nil
	}
}

// TestEachPoisonIsSkippedForItsReason keeps the list above honest: each is refused by itself, and with a reason that holds
// nothing of the value.
func TestEachPoisonIsSkippedForItsReason(t *testing.T) {
	t.Parallel()
	ns := testNamespace(t, "dev")
	const addr = "10.0.0.1:8888"
	for name, value := range poison(addr) {
		inst, _, err := decodeServing(ns, "user-svc", addr, []byte(value))
		if err == nil {
			t.Errorf("%s is taken for %+v", name, inst)
			continue
		}
		if len(err.Error()) > 100 || strings.Contains(err.Error(), addr) {
			t.Errorf("%s: the reason shows the value: %.200v", name, err)
		}
		if e, ok := decodeRoster(ns, []byte(value)); ok {
			t.Errorf("%s is taken for the roster entry %+v", name, e)
		}
		if o := decodeOrder("id", []byte(value), time.Now()); o != nil {
			t.Errorf("%s is taken for the order %+v", name, o)
		}
	}
	dir := layout{group: "default"}.serving("user-svc")
	for _, key := range badKeys() {
		if addr, ok := addrOf(dir, []byte(dir+key)); ok {
			t.Errorf("%q is taken for the address %q", key, addr)
		}
	}
}

// TestJunkIsCountedOnEachBranch: a census, a list for people and the watch of the own keys tell of what they skip.
func TestJunkIsCountedOnEachBranch(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	log := newHark("skipped a value")
	d := newDriver(t, node.Endpoint(), func(c *Config) { c.Logger = slog.New(log) })
	m := join(t, d, claim("user-svc", 1))
	_, err := m.Census(within(t))
	must(t, err)
	if n := d.Link().Skipped; n != 0 {
		t.Errorf("%d skipped where there is no junk", n)
	}
	putAll(t, node.Client(), map[string]string{
		"muster/dev/.operator/default/user-svc/10.0.0.1:8888": "junk", // of the own instance's
		"muster/dev/.operator/default/user-svc/10.0.0.2:8888": "junk",
		"muster/dev/.roster/default/user-svc/10.0.0.2:8888":   "junk",
		"muster/dev/.roster/default/user-svc/junk":            "junk",
		"muster/dev/default/user-svc/10.0.0.2:8888":           "junk",
	})
	select {
	case <-log.heard:
	case <-within(t).Done():
		t.Fatal("nothing is logged")
	}
	if n := d.Link().Skipped; n != 1 {
		t.Errorf("%d skipped after the own order, want 1", n)
	}
	_, err = m.Census(within(t))
	must(t, err)
	if n := d.Link().Skipped; n != 4 {
		t.Errorf("%d skipped after a census, want 3 more", n)
	}
	other := newDriver(t, node.Endpoint())
	_, err = other.Fleet(within(t), "")
	must(t, err)
	if n := other.Link().Skipped; n != 5 {
		t.Errorf("%d skipped by a list, want 5", n)
	}
}

// TestOwnKeysPoisoned: garbage over an own key is replaced, and garbage on the roster keeps nobody from joining.
func TestOwnKeysPoisoned(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	d, m, _ := served(t, node)
	cli := node.Client()
	junk := strings.Repeat("[", 1<<20)
	for _, key := range []string{servingKey, rosterKey} {
		watch := cli.Watch(within(t), key)
		_, err := cli.Put(within(t), key, junk)
		must(t, err)
		for back := false; !back; {
			r, ok := <-watch
			if !ok || r.Canceled {
				t.Fatalf("%s stays poisoned: %v", key, r.Err())
			}
			for _, e := range r.Events {
				back = back || e.Type == clientv3.EventTypePut && len(e.Kv.Value) < 1000
			}
		}
	}
	if m.Err() != nil {
		t.Fatalf("the instance was put out: %v", m.Err())
	}
	must(t, m.Leave(within(t)))
	_, err := cli.Put(within(t), rosterKey, junk)
	must(t, err)
	c := claim("user-svc", 1)
	c.Again = true
	must(t, join(t, d, c).Leave(within(t)))
	empty(t, cli)
}

func TestNextPage(t *testing.T) {
	t.Parallel()
	page, small := firstPage, 300
	for range 3 {
		page = nextPage(page, page*small)
	}
	if page != readPage {
		t.Errorf("after small answers %d, want %d", page, readPage)
	}
	for range 5 {
		page = nextPage(page, page<<20)
	}
	if page > 8 || page < 1 {
		t.Errorf("after answers of a megabyte for each key %d", page)
	}
}
