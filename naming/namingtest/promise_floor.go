package namingtest

import (
	"sync"

	"github.com/muster-go/muster/naming"
)

// floorPromises are those of a driver that can keep a floor.
func floorPromises() []promise {
	floor := func(f naming.Features, _ Harness) bool { return f.Roster && f.Floor }
	half := naming.Percent(50)
	sequence := func(name string, n int, f naming.Floor, want ...naming.Outcome) promise {
		return promise{name: name, needs: floor, run: func(b *bench) {
			ms := b.crowd(n)
			for i, w := range want {
				if o := b.withdraw(ms[i], f); o != w {
					b.Errorf("unfit number %d of %d is %v, want %v", i+1, n, o, w)
				}
			}
		}}
	}
	out, held := naming.Withdrawn, naming.Held
	return []promise{
		sequence("floor-four-of-which-four-fail", 4, half, out, out, held, held),
		sequence("floor-two", 2, half, out, held),
		sequence("floor-a-lone-one-goes", 1, half, out),
		sequence("floor-a-count-keeps-a-lone-one", 1, naming.Count(1), held),
		sequence("floor-of-nothing-keeps-nobody", 3, naming.Floor{}, out, out, out),
		sequence("floor-of-everything-keeps-everybody", 3, naming.Percent(100), held, held, held),
		{name: "floor-what-is-held-goes-on-serving", needs: floor, run: heldServes},
		{name: "floor-is-kept-among-all-that-try-at-once", needs: floor, run: floorAtOnce},
		{name: "floor-does-not-bind-who-leaves", needs: floor, run: func(b *bench) {
			for _, m := range b.crowd(3) {
				b.must(m.Leave(b.ctx()))
			}
			b.watch(b.process()).shows()
		}},
		{name: "degraded-is-seen-and-taken-back", needs: floor, run: degradedIsSeen},
	}
}

// crowd returns n members that serve, each of a process of its own.
func (b *bench) crowd(n int) []naming.Membership {
	b.Helper()
	ms := make([]naming.Membership, n)
	for i := range ms {
		ms[i] = b.serve(b.process(), b.instance(i))
	}
	return ms
}

func heldServes(b *bench) {
	ms := b.crowd(2)
	v := b.watch(b.process())
	v.shows(b.instance(0).Addr, b.instance(1).Addr)
	b.withdraw(ms[0], naming.Percent(50))
	v.shows(b.instance(1).Addr)
	b.withdraw(ms[1], naming.Percent(50))
	if c := b.census(ms[1]); c != (naming.Census{Alive: 2, Serving: 1, Unfit: 2}) {
		b.Errorf("the roster does not say that both are unfit: %+v", c)
	}
	b.publish(ms[0])
	v.shows(b.instance(0).Addr, b.instance(1).Addr)
}

func floorAtOnce(b *bench) {
	const n = 12
	ms := b.crowd(n)
	outcomes := make([]naming.Outcome, n)
	var wg sync.WaitGroup
	for i, m := range ms {
		wg.Go(func() {
			for { // losing too many races is an error, after which one tries again
				o, err := m.Withdraw(b.ctx(), naming.Percent(50), status("withdrawn", true), status("held", true))
				if err == nil {
					outcomes[i] = o
					return
				}
				if m.Err() != nil || b.Failed() {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	gone := 0
	for _, o := range outcomes {
		if o == naming.Withdrawn {
			gone++
		}
	}
	c := b.census(ms[0])
	if gone != n/2 || c != (naming.Census{Alive: n, Serving: n / 2, Unfit: n}) {
		b.Errorf("%d withdrew, %+v", gone, c)
	}
}

func degradedIsSeen(b *bench) {
	in := b.instance(1)
	m := b.serve(b.process(), in)
	v := b.watch(b.process())
	shows := func(degraded bool) {
		b.Helper()
		v.until("the right mark", func(u naming.Update) bool {
			return len(u.Snapshot.Instances) == 1 && u.Snapshot.Instances[0].Degraded == degraded
		})
	}
	shows(false)
	b.must(m.Publish(b.ctx(), status("held", true), true))
	shows(true)
	b.publish(m)
	shows(false)
	b.withdraw(m, naming.Floor{})
	b.must(m.Publish(b.ctx(), status("held", true), true))
	shows(true)
}
