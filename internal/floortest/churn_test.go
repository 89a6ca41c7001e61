package floortest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// churn is a fleet into which others join, and from which some leave and some lose their leases, while it fails.
type churn struct {
	*world
	t    *testing.T
	r    *rand.Rand
	cli  *clientv3.Client
	dep  *Dependency
	next int             // the number of the next to join
	new  map[string]bool // joined while this repetition ran, so maybe never fit yet

	joins, drains, expiries int
}

func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("FLOOR_SEED")
	if text == "" {
		return uint64(time.Now().UnixNano())
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("FLOOR_SEED=%q: want a number", text)
	}
	return n
}

// TestAllFailTogetherAmongOthers is TestAllFailTogether with joins, drains and expiries in between.
func TestAllFailTogetherAmongOthers(t *testing.T) {
	n, _ := repetitions(t)
	s := seed(t)
	t.Logf("FLOOR_SEED=%d", s)
	dep := new(Dependency)
	w := newWorld(t, fleetSize, half(), dep)
	c := &churn{world: w, t: t, r: rand.New(rand.NewPCG(s, 0)), cli: w.Client(), dep: dep, next: fleetSize}
	for range n {
		c.new = map[string]bool{}
		at, probes, broken := c.moments(), len(c.all), make(chan struct{})
		go func() {
			defer close(broken)
			dep.BreakTogether(t.Context(), probes, interval*4/5)
		}()
		for _, rev := range at {
			c.ledger.Reach(t, rev)
			c.stir()
		}
		<-broken
		w.ledger.Wait(t, "all that can serve do, degraded", func(a *Audit) bool {
			for addr, m := range a.Members {
				if !degraded(m) && !(c.new[addr] && !m.Serving) {
					return false
				}
			}
			return len(a.Members) == len(c.all)
		})
		dep.Set(false)
		w.wait(t, "all serve again", len(c.all), serves)
	}
	t.Logf("%d repetitions, %d joins, %d drains, %d expiries", n, c.joins, c.drains, c.expiries)
	w.judge(t)
}

// moments are the revisions after which something happens: some are there already, some come while the fleet fails.
func (c *churn) moments() []int64 {
	now := int64(0)
	c.ledger.Look(func(*Audit) { now = c.ledger.rev })
	all := make([]int64, 2+c.r.IntN(5))
	for i := range all {
		now += c.r.Int64N(5)
		all[i] = now
	}
	return all
}

// stir does one thing at random.
func (c *churn) stir() {
	victim := c.r.IntN(len(c.all))
	switch k := c.r.IntN(3); {
	case k == 0 && len(c.all) < fleetSize+4 || len(c.all) <= fleetSize-4:
		i := Make(c.t, c.spec(c.next%200, c.dep))
		c.next++
		c.new[i.Addr] = true
		c.all = append(c.all, i)
		i.Monitor.Start()
		c.joins++
	case k == 1:
		if err := c.all[victim].Reg.Deregister(); err != nil { // a busy machine: its lease takes it along, later
			c.t.Log(err)
		}
		c.all[victim].Close()
		c.all = append(c.all[:victim:victim], c.all[victim+1:]...)
		c.drains++
	default:
		lease := int64(0)
		c.ledger.Look(func(a *Audit) { lease = a.Members[c.all[victim].Addr].Lease })
		if lease != 0 {
			_, _ = c.cli.Revoke(c.t.Context(), clientv3.LeaseID(lease)) // it may be gone by itself
			c.expiries++
		}
	}
}
