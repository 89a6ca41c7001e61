package etcd

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

const (
	servingKey = "muster/dev/default/user-svc/10.0.0.1:8888"
	rosterKey  = "muster/dev/.roster/default/user-svc/10.0.0.1:8888"
)

// served returns a driver with one published instance, and what watches it.
func served(t *testing.T, node interface{ Endpoint() string }) (*Driver, naming.Membership, <-chan naming.Update) {
	t.Helper()
	d := newDriver(t, node.Endpoint())
	updates := watched(t, newDriver(t, node.Endpoint()), "user-svc")
	m := join(t, d, claim("user-svc", 1))
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	until(t, updates, "10.0.0.1:8888")
	return d, m, updates
}

func endOf(t *testing.T, m naming.Membership) error {
	t.Helper()
	select {
	case <-m.Done():
		return m.Err()
	case <-within(t).Done():
		t.Fatal("the membership has not ended")
		return nil
	}
}

func TestDeletedKeysComeBack(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	_, m, _ := served(t, node)
	cli := node.Client()
	for _, key := range []string{servingKey, rosterKey} {
		watch := cli.Watch(within(t), key)
		began := time.Now()
		if _, err := cli.Delete(within(t), key); err != nil {
			t.Fatal(err)
		}
		for back := false; !back; {
			r := <-watch
			for _, e := range r.Events {
				back = back || e.IsCreate()
			}
			if r.Canceled {
				t.Fatalf("%s has not come back: %v", key, r.Err())
			}
		}
		t.Logf("%s: back after %v", key, time.Since(began))
	}
	must(t, m.Leave(within(t)))
	empty(t, cli)
}

func TestStrangerIsReplacedOnceThenReported(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	_, m, _ := served(t, node)
	cli := node.Client()
	const foreign = `{"network":"tcp","address":"10.0.0.1:8888","weight":1,"tags":null}`
	watch := cli.Watch(within(t), servingKey)
	write := func() {
		t.Helper()
		_, err := cli.Put(within(t), servingKey, foreign)
		must(t, err)
	}
	write()
	for back := false; !back; {
		r := <-watch
		for _, e := range r.Events {
			back = back || e.Kv.Lease != 0
		}
		if r.Canceled {
			t.Fatal("the stranger's value was not replaced", r.Err())
		}
	}
	if c := m.Notice().Conflict; c != "" {
		t.Errorf("conflict %q after the first time", c)
	}
	write()
	for m.Notice().Conflict == "" {
		select {
		case <-m.Changed():
		case <-within(t).Done():
			t.Fatal("no conflict reported")
		}
	}
	if got := etcdtest.Keys(t, cli, servingKey)[servingKey]; got != foreign {
		t.Errorf("the stranger's value was overwritten: %s", got)
	}
	if err := m.Publish(within(t), naming.Status{State: "again"}, false); !errors.Is(err, errConflict) {
		t.Errorf("Publish = %v, want the conflict", err)
	}
	_, err := cli.Delete(within(t), servingKey) // the stranger goes
	must(t, err)
	for m.Notice().Conflict != "" {
		select {
		case <-m.Changed():
		case <-within(t).Done():
			t.Fatal("the conflict is still reported")
		}
	}
}

func TestRevokedLeaseEndsTheMembership(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	d, m, updates := served(t, node)
	cli := node.Client()
	leases, err := cli.Leases(within(t))
	must(t, err)
	began := time.Now()
	for _, l := range leases.Leases {
		_, err := cli.Revoke(within(t), l.ID)
		must(t, err)
	}
	if err := endOf(t, m); !errors.Is(err, naming.ErrLost) {
		t.Fatalf("Err = %v, want ErrLost", err)
	}
	t.Logf("noticed after %v", time.Since(began))
	c := claim("user-svc", 1)
	c.Again = true
	m = join(t, d, c)
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	until(t, updates, "10.0.0.1:8888")
	must(t, m.Leave(within(t)))
	empty(t, cli)
}

func TestLaterClaimWins(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	d, old, updates := served(t, node)
	c := claim("user-svc", 1)
	c.Instance.ID = "successor"
	m := join(t, newDriver(t, node.Endpoint()), c)
	var taken *naming.TakenError
	if err := endOf(t, old); !errors.As(err, &taken) || taken.By != "successor" {
		t.Fatalf("Err = %v, want a TakenError by the successor", err)
	}
	until(t, updates) // the successor has yet to show that it is fit
	must(t, m.Publish(within(t), naming.Status{}, false))
	until(t, updates, "10.0.0.1:8888")

	again := claim("user-svc", 1)
	again.Again = true
	if _, err := d.Join(within(t), again); !errors.As(err, &taken) {
		t.Fatalf("Join = %v, want a TakenError", err)
	}
	if err := old.Leave(within(t)); err != nil { // an old process that leaves late must not take the new one along
		t.Fatal(err)
	}
	if got := etcdtest.Keys(t, node.Client(), servingKey); len(got) != 1 {
		t.Errorf("the successor's key is gone")
	}
	must(t, m.Leave(within(t)))
	m = join(t, d, again)
	must(t, m.Leave(within(t)))
	empty(t, node.Client())
}

func TestOutage(t *testing.T) {
	t.Parallel()
	node := etcdtest.StartProcess(t)
	d, m, updates := served(t, node)
	node.Kill()
	must(t, node.Start())
	select {
	case <-m.Done(): // an etcd that had lost its leader for long enough may have ended the lease
		if !errors.Is(m.Err(), naming.ErrLost) {
			t.Fatal(m.Err())
		}
		c := claim("user-svc", 1)
		c.Again = true
		m = join(t, d, c)
	case <-renewed(d):
	}
	must(t, m.Publish(within(t), naming.Status{State: "after"}, false))
	// The client still hears of changes.
	must(t, m.Leave(within(t)))
	until(t, updates)
	empty(t, etcdtest.Client(t, node.Endpoint()))
}

// renewed is closed once the link is up and one renewal has gone through since.
func renewed(d *Driver) <-chan struct{} {
	c := make(chan struct{})
	d.wg.Go(func() {
		defer close(c)
		ctx, cancel := context.WithTimeout(d.ctx, patience)
		defer cancel()
		h, err := d.conn.get(ctx)
		if err != nil {
			return
		}
		for ctx.Err() == nil {
			if _, err := h.Get(ctx, "x", clientv3.WithCountOnly()); err == nil {
				wait(ctx, time.Second)
				return
			}
		}
	})
	return c
}

func TestWipedEtcdIsNoticed(t *testing.T) {
	t.Parallel()
	node := etcdtest.StartProcess(t)
	d, m, updates := served(t, node)
	cli := etcdtest.Client(t, node.Endpoint())
	for range 20 { // the new data must not reach the old revision by chance
		_, err := cli.Put(within(t), "elsewhere", "x")
		must(t, err)
	}
	node.Kill()
	must(t, node.Wipe())
	must(t, node.Start())
	if err := endOf(t, m); !errors.Is(err, naming.ErrLost) {
		t.Fatalf("Err = %v, want ErrLost", err)
	}
	until(t, updates) // the watch hears of the new data, though its revision was far ahead
	c := claim("user-svc", 1)
	c.Again = true
	m = join(t, d, c)
	must(t, m.Publish(within(t), naming.Status{}, false))
	until(t, updates, "10.0.0.1:8888")
}

func TestLeaveDuringAnOutageIsSweptUp(t *testing.T) {
	t.Parallel()
	node := etcdtest.StartProcess(t)
	d, m, _ := served(t, node)
	other := join(t, d, claim("order-svc", 2))
	must(t, other.Publish(within(t), naming.Status{}, false))
	node.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := m.Leave(ctx); err == nil {
		t.Fatal("Leave succeeded without etcd")
	}
	must(t, node.Start())
	// The lease lives on with the other service, so only a sweep can delete what is left.
	cli := etcdtest.Client(t, node.Endpoint())
	watch := cli.Watch(within(t), "muster/dev/", clientv3.WithPrefix(), clientv3.WithRev(1))
	gone := map[string]bool{}
	for !gone[servingKey] || !gone[rosterKey] {
		r := <-watch
		if r.Canceled {
			t.Fatalf("not swept up: %v, %v", gone, r.Err())
		}
		for _, e := range r.Events {
			gone[string(e.Kv.Key)] = e.Type == clientv3.EventTypeDelete
		}
	}
	if other.Err() != nil {
		t.Errorf("the other service went along: %v", other.Err())
	}
	must(t, other.Leave(within(t)))
	empty(t, cli)
}

func TestUnreachableEtcd(t *testing.T) {
	t.Parallel()
	ports, err := etcdtest.FreePorts(1)
	must(t, err)
	d := newDriver(t, fmt.Sprintf("127.0.0.1:%d", ports[0]))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := d.Join(ctx, claim("user-svc", 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Join = %v, want the context's error", err)
	}
	if err := d.Watch(ctx, "user-svc", func(naming.Update) { t.Error("an update without etcd") }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Watch = %v, want the context's error", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	must(t, d.Close())
	must(t, d.Close())
	if _, err := d.Join(t.Context(), claim("user-svc", 1)); !errors.Is(err, naming.ErrClosed) {
		t.Errorf("Join after Close = %v", err)
	}
}
