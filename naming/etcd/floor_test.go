package etcd

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// fleet joins and publishes n instances, each by a driver of its own as processes would.
func fleet(t *testing.T, node *etcdtest.Node, n int) []naming.Membership {
	t.Helper()
	all := make([]naming.Membership, n)
	for i := range all {
		all[i] = join(t, newDriver(t, node.Endpoint()), claim("user-svc", i+1))
		must(t, all[i].Publish(within(t), naming.Status{State: "serving"}, false))
	}
	return all
}

func withdraw(t *testing.T, m naming.Membership, f naming.Floor) naming.Outcome {
	t.Helper()
	o, err := m.Withdraw(within(t), f, naming.Status{State: "withdrawn", Unfit: true}, naming.Status{State: "held", Unfit: true})
	must(t, err)
	return o
}

func TestFloorOneByOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n     int
		floor naming.Floor
		want  []naming.Outcome
	}{
		{1, naming.Percent(50), []naming.Outcome{naming.Withdrawn}},
		{1, naming.Count(1), []naming.Outcome{naming.Held}},
		{2, naming.Percent(50), []naming.Outcome{naming.Withdrawn, naming.Held}},
		{4, naming.Percent(50), []naming.Outcome{naming.Withdrawn, naming.Withdrawn, naming.Held, naming.Held}},
		{3, naming.Floor{}, []naming.Outcome{naming.Withdrawn, naming.Withdrawn, naming.Withdrawn}},
	} {
		t.Run(fmt.Sprintf("%d of floor %v", c.n, c.floor), func(t *testing.T) {
			node := etcdtest.Start(t)
			for i, m := range fleet(t, node, c.n) {
				if got := withdraw(t, m, c.floor); got != c.want[i] {
					t.Errorf("instance %d: %v, want %v", i+1, got, c.want[i])
				}
			}
		})
	}
}

func TestFloorHoldsWhenAllFailAtOnce(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	const n = 12
	all := fleet(t, node, n)
	updates := watched(t, newDriver(t, node.Endpoint()), "user-svc")
	least := n
	var mu sync.Mutex
	outcomes := map[naming.Outcome]int{}
	var wg sync.WaitGroup
	began := time.Now()
	for _, m := range all {
		wg.Go(func() {
			o := withdraw(t, m, naming.Percent(50))
			mu.Lock()
			outcomes[o]++
			mu.Unlock()
		})
	}
	settled := make(chan struct{})
	go func() { wg.Wait(); close(settled) }()
	for done := false; !done; {
		select {
		case u := <-updates:
			least = min(least, len(u.Snapshot.Instances))
		case <-settled:
			done = true
		}
	}
	t.Logf("%d settled in %v: %v", n, time.Since(began), outcomes)
	c, err := all[0].Census(within(t))
	must(t, err)
	if want := (naming.Census{Alive: n, Serving: n / 2, Unfit: n}); c != want {
		t.Errorf("census %+v, want %+v", c, want)
	}
	if outcomes[naming.Withdrawn] != n/2 || least < n/2 {
		t.Errorf("outcomes %v, least serving %d, want %d withdrawn and never fewer serving", outcomes, least, n/2)
	}
}
