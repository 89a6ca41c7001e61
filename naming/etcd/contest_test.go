package etcd

import (
	"errors"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

const claimKey = "muster/dev/.claim/default/user-svc/10.0.0.1:8888"

// twins has a second process claim the address of a first, which then claims it again and has to wait.
func twins(t *testing.T, node *etcdtest.Node) (waits *Driver, serves naming.Membership) {
	t.Helper()
	waits = newDriver(t, node.Endpoint())
	first := join(t, waits, claim("user-svc", 1))
	c := claim("user-svc", 1)
	c.Instance.ID = "successor"
	serves = join(t, newDriver(t, node.Endpoint()), c)
	_ = endOf(t, first)
	yields(t, waits)
	return waits, serves
}

// yields has the one that waits claim the address once more.
func yields(t *testing.T, d *Driver) {
	t.Helper()
	again := claim("user-svc", 1)
	again.Again = true
	if _, err := d.Join(within(t), again); !errors.As(err, new(*naming.TakenError)) {
		t.Fatalf("Join = %v, want a TakenError", err)
	}
}

// conflict waits until the notice of a conflict holds a text, or until there is none.
func conflict(t *testing.T, m naming.Membership, want string) {
	t.Helper()
	for {
		is := m.Notice().Conflict
		if is == want || want != "" && strings.Contains(is, want) {
			return
		}
		select {
		case <-m.Changed():
		case <-m.Done():
			t.Fatal(m.Err())
		case <-within(t).Done():
			t.Fatalf("the conflict is %q, want %q", is, want)
		}
	}
}

func TestWhoServesKnowsWhoWaits(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	waits, serves := twins(t, node)
	conflict(t, serves, "id-1")

	first := leaseOf(t, node, claimKey)
	yields(t, waits)
	if again := leaseOf(t, node, claimKey); again != first {
		t.Errorf("a further attempt has taken the lease %x beside %x", again, first)
	}
	must(t, waits.Close())
	conflict(t, serves, "")
	must(t, serves.Leave(within(t)))
	empty(t, node.Client())
}

// TestClaimEndsWithItsProcess: one that was killed takes nothing back.
func TestClaimEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	waits, serves := twins(t, node)
	conflict(t, serves, "id-1")
	waits.mu.Lock()
	clear(waits.claims)
	waits.mu.Unlock()
	conflict(t, serves, "")
	must(t, serves.Leave(within(t)))
}

// TestClaimEndsWithTheWait: who gets the address waits no more, and has no conflict with itself.
func TestClaimEndsWithTheWait(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	waits, serves := twins(t, node)
	must(t, serves.Leave(within(t)))
	again := claim("user-svc", 1)
	again.Again = true
	m := join(t, waits, again)
	if c := m.Notice().Conflict; c != "" {
		t.Errorf("a conflict with itself: %s", c)
	}
	must(t, m.Leave(within(t)))
	must(t, waits.Close())
	empty(t, node.Client())
}

// TestSuccessorOfAContestedAddressKnows: the claim was there before it.
func TestSuccessorOfAContestedAddressKnows(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	_, second := twins(t, node)
	c := claim("user-svc", 1)
	c.Instance.ID = "third"
	third := join(t, newDriver(t, node.Endpoint()), c)
	if c := third.Notice().Conflict; !strings.Contains(c, "id-1") {
		t.Errorf("the conflict is %q", c)
	}
	if err := endOf(t, second); !errors.As(err, new(*naming.TakenError)) {
		t.Error(err)
	}
}

func TestJunkClaimIsNoConflict(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	d := newDriver(t, node.Endpoint())
	m := join(t, d, claim("user-svc", 1))
	for _, put := range []struct{ value, want string }{
		{encodeRoster(d.cfg.Namespace, "rival", naming.Status{}), "rival"},
		{`{"id":"x","namespace":"prod"}`, ""},
		{encodeRoster(d.cfg.Namespace, "rival", naming.Status{}), "rival"},
		{strings.Repeat("x", maxValue+1), ""},
	} {
		_, err := node.Client().Put(within(t), claimKey, put.value)
		must(t, err)
		conflict(t, m, put.want)
	}
	if n := d.Link().Skipped; n != 2 {
		t.Errorf("%d values were counted as junk, want 2", n)
	}
}

func leaseOf(t *testing.T, node *etcdtest.Node, key string) clientv3.LeaseID {
	t.Helper()
	r, err := node.Client().Get(within(t), key)
	must(t, err)
	if len(r.Kvs) != 1 {
		t.Fatalf("%s: %v", key, r.Kvs)
	}
	return clientv3.LeaseID(r.Kvs[0].Lease)
}
