package floortest

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/internal/etcdtest"
)

// TestWipedEtcdUnderLoad: etcd loses everything, and no call fails, from the last moment before to the first after all
// instances have joined again.
func TestWipedEtcdUnderLoad(t *testing.T) {
	node := etcdtest.StartProcess(t)
	cli := etcdtest.Client(t, node.Endpoint())
	for range 200 { // the new data must be far behind the old
		if _, err := cli.Put(t.Context(), "elsewhere", "x"); err != nil {
			t.Fatal(err)
		}
	}
	var all []*Instance
	for _, s := range newServers(t, fleetSize) {
		all = append(all, Run(t, Spec{Endpoint: node.Endpoint(), Addr: s.addr(), Floor: half(), LeaseTTL: 2 * time.Second}))
	}
	c := newCatalog(t, node.Endpoint(), catalog.Options{})
	s, err := c.Subscribe("user-svc")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	full := func(v *catalog.View) bool { return len(v.Instances) == fleetSize && len(v.Suspects) == 0 }
	until(t, s, "a full list", full)
	l := newLoad(t, c)
	l.past(t, time.Now())
	began := time.Now()
	node.Kill()
	if err := node.Wipe(); err != nil {
		t.Fatal(err)
	}
	l.past(t, time.Now().Add(time.Second)) // it is away for a while
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	l.until(t, "everybody in the new data", func(call) bool {
		r, err := cli.Get(t.Context(), "muster/dev/default/user-svc/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		return err == nil && r.Count == fleetSize && full(s.View())
	})
	whole := time.Since(back)
	l.past(t, time.Now())
	l.stop()
	calls, failed, least := l.failed()
	for _, f := range failed {
		t.Errorf("call to %s failed %v after the wipe: %v", f.addr, f.at.Sub(began), f.err)
	}
	if least != fleetSize {
		t.Errorf("the list was down to %d instances", least)
	}
	t.Logf("%d calls, %d failed; everybody was in the new data %v after etcd's return", calls, len(failed), whole)
	all[0].Close() // and the client hears of what happens there
	until(t, s, "one less", func(v *catalog.View) bool { return len(v.Instances) == fleetSize-1 })
}

// TestDeadSuspects: while etcd has forgotten everybody and nobody comes back, calls go on to whoever accepts connections. One
// that dies gets no new call a second after its socket closed.
func TestDeadSuspects(t *testing.T) {
	node := etcdtest.Start(t)
	cli := node.Client()
	servers := newServers(t, fleetSize)
	for _, s := range servers { // of somebody who does not notice: without a lease, and without Muster
		value := fmt.Sprintf(`{"network":"tcp","address":%q,"weight":10,"tags":null}`, s.addr())
		if _, err := cli.Put(t.Context(), "muster/dev/default/user-svc/"+s.addr(), value); err != nil {
			t.Fatal(err)
		}
	}
	c := newCatalog(t, node.Endpoint(), catalog.Options{})
	s, err := c.Subscribe("user-svc")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	until(t, s, "a full list", func(v *catalog.View) bool { return len(v.Instances) == fleetSize })
	l := newLoad(t, c)
	if _, err := cli.Delete(t.Context(), "muster/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	l.until(t, "suspects", func(call) bool { return len(s.View().Suspects) == fleetSize })
	l.past(t, time.Now().Add(time.Second))
	if _, failed, least := l.failed(); len(failed) > 0 || least != fleetSize {
		t.Fatalf("while all live %d calls failed, and the list was down to %d: %+v", len(failed), least, failed)
	}

	dead := servers[3]
	closed := time.Now()
	dead.stop()
	l.past(t, closed.Add(3*time.Second))
	l.stop()
	var last time.Duration
	calls, failed, _ := l.failed()
	for _, f := range failed {
		if f.addr != dead.addr() {
			t.Errorf("a call to %s failed, who lives: %v", f.addr, f.err)
		}
		last = f.at.Sub(closed)
	}
	t.Logf("%d calls, %d to the dead one, the last of them %v after its socket closed", calls, len(failed), last)
	if last > time.Second {
		t.Errorf("the dead one was called %v after its socket closed", last)
	}
	if n := len(s.View().Instances); n != fleetSize-1 {
		t.Errorf("%d instances are left, want the %d that live", n, fleetSize-1)
	}
}

// TestColdStart: a client that starts while etcd is away calls whom it knew; with a damaged copy it says so, and waits for
// etcd.
func TestColdStart(t *testing.T) {
	node := etcdtest.StartProcess(t)
	server := newServer(t)
	Run(t, Spec{Endpoint: node.Endpoint(), Addr: server.addr()})
	options := catalog.Options{CacheDir: t.TempDir(), Namespace: Dev()}
	warm := newCatalog(t, node.Endpoint(), options)
	s, err := warm.Subscribe("user-svc")
	if err != nil {
		t.Fatal(err)
	}
	until(t, s, "a list", func(v *catalog.View) bool { return len(v.Instances) == 1 })
	s.Close()
	if err := warm.Close(); err != nil { // what is pending is written
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(options.CacheDir, "dev", "default", "user-svc-*.view"))
	if len(files) != 1 {
		t.Fatalf("copies %v, want one", files)
	}

	node.Kill()
	var log lines
	options.Logger = slog.New(slog.NewTextHandler(&log, nil))
	cold := newCatalog(t, node.Endpoint(), options)
	began := time.Now()
	v, err := cold.Lookup(t.Context(), "user-svc")
	if err != nil || len(v.Instances) != 1 || v.Saved.IsZero() {
		t.Fatalf("%+v, %v", v, err)
	}
	t.Logf("the copy was used after %v", time.Since(began))
	if err := echo(t.Context(), v.Instances[0].Addr); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "a copy of the last view is used") || !strings.Contains(log.String(), "age=") {
		t.Errorf("the log does not say so: %s", log.String())
	}
	_ = cold.Close()

	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(files[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	wary := newCatalog(t, node.Endpoint(), options)
	if v, err := wary.Lookup(t.Context(), "user-svc"); !errors.Is(err, catalog.ErrNoView) {
		t.Errorf("from a damaged copy: %+v, %v", v, err)
	}
	if !strings.Contains(log.String(), "the copy of a view is refused") || !strings.Contains(log.String(), "checksum is wrong: it is damaged") ||
		!strings.Contains(log.String(), files[0]) {
		t.Errorf("the log does not say so: %s", log.String())
	}
	w, err := wary.Subscribe("user-svc")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, w, "etcd's own list", func(v *catalog.View) bool { return len(v.Instances) == 1 && v.Saved.IsZero() })
}
