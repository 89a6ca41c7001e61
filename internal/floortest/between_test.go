package floortest

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

// TestBetweenReadAndCommit: whenever somebody has counted and is about to withdraw, and the dice say so, the leases of one or
// two others that serve end first, or another instance joins first. Nothing is worse for a floor.
func TestBetweenReadAndCommit(t *testing.T) {
	n, _ := repetitions(t)
	s := seed(t)
	t.Logf("FLOOR_SEED=%d", s)
	dep := new(Dependency)
	const first, most = 7, 13
	w := newWorld(t, first, half(), dep)
	var size atomic.Int64
	size.Store(first)
	cli := w.Client()
	var mu sync.Mutex // guards everything that follows
	r := rand.New(rand.NewPCG(s, 1))
	ends, joins := 0, 0
	meddle := func(addrOfOne string) {
		mu.Lock()
		defer mu.Unlock()
		dice := r.IntN(8)
		switch { // each happens for certain
		case ends == 0:
			dice = 0
		case joins == 0:
			dice = 2
		}
		switch dice {
		case 0, 1:
			for range 1 + r.IntN(2) {
				var leases []int64
				w.ledger.Look(func(a *Audit) {
					for addr, m := range a.Members {
						if m.Serving && addr != addrOfOne {
							leases = append(leases, m.Lease)
						}
					}
				})
				if len(leases) > 0 {
					if _, err := cli.Revoke(t.Context(), clientv3.LeaseID(leases[r.IntN(len(leases))])); err == nil {
						ends++
					}
				}
			}
		case 2:
			if len(w.all) == most {
				return
			}
			i, err := Open(w.spec(len(w.all), dep))
			if err != nil {
				t.Error(err)
				return
			}
			i.Monitor.Start()
			w.all = append(w.all, i)
			if _, err := w.ledger.Await(func(a *Audit) bool { _, ok := a.Members[i.Addr]; return ok }); err != nil {
				t.Error(err)
			}
			size.Add(1)
			joins++
		}
	}
	t.Cleanup(func() {
		for _, i := range w.all {
			i.Close()
		}
	})
	for range n {
		w.Tamper(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if addr := withdrawing(req); addr != "" {
				meddle(addr)
			}
			return next(ctx, req)
		})
		dep.BreakTogether(t.Context(), int(size.Load()), interval*4/5)
		w.ledger.Wait(t, "enough serve again", func(a *Audit) bool {
			return len(a.Members) == int(size.Load()) && a.Count(func(m Member) bool { return degraded(m) || m.State == "waiting" }) == len(a.Members)
		})
		w.Tamper(nil)
		dep.Set(false)
		w.wait(t, "all serve again", int(size.Load()), serves)
	}
	t.Logf("%d repetitions, %d leases ended and %d instances joined between a read and its commit", n, ends, joins)
	if ends == 0 || joins == 0 {
		t.Error("nothing was between a read and its commit: this proves nothing")
	}
	w.judge(t)
}
