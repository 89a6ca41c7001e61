package namingtest

import "github.com/muster-go/muster/naming"

// operatorPromises are about orders from outside.
func operatorPromises() []promise {
	needs := func(f naming.Features, h Harness) bool {
		return f.Operator && h.Faults.SetOffline != nil && h.Faults.SetOnline != nil
	}
	return []promise{
		{name: "an-operator-is-heard", needs: needs, run: operatorIsHeard},
		{name: "an-order-survives-a-new-membership", needs: needs, run: orderSurvives},
		{name: "an-order-does-not-hold-for-the-next-process", needs: needs, run: orderIsBound},
	}
}

// offline waits until the member is told, or not any more.
func (b *bench) offline(m naming.Membership, want bool) {
	b.Helper()
	for (m.Notice().Offline != nil) != want {
		b.wait("an order", m.Changed())
	}
}

func operatorIsHeard(b *bench) {
	p, one, two := b.process(), b.instance(1), b.instance(2)
	m, other := b.serve(p, one), b.serve(p, two)
	for range 2 {
		b.h.Faults.SetOffline(b.TB, b.ns, one, "alice")
		b.offline(m, true)
		if o := m.Notice().Offline; o.By != "alice" {
			b.Errorf("by %q", o.By)
		}
		if o := other.Notice().Offline; o != nil {
			b.Errorf("the other one is told: %+v", o)
		}
		b.h.Faults.SetOnline(b.TB, b.ns, one)
		b.offline(m, false)
	}
}

func orderSurvives(b *bench) {
	p, in := b.process(), b.instance(1)
	m := b.serve(p, in)
	b.h.Faults.SetOffline(b.TB, b.ns, in, "alice")
	b.offline(m, true)
	b.must(m.Leave(b.ctx()))
	again := b.joinAs(p, naming.Claim{Instance: in, Status: status("offline", false), Again: true})
	if again.Notice().Offline == nil {
		b.Error("a membership does not know from its first moment that it is offline")
	}
	b.h.Faults.SetOnline(b.TB, b.ns, in)
	b.offline(again, false)
}

func orderIsBound(b *bench) {
	old, young := b.instance(1), b.instance(1)
	m := b.serve(b.process(), old)
	b.h.Faults.SetOffline(b.TB, b.ns, old, "alice")
	b.offline(m, true)
	if o := b.join(b.process(), young).Notice().Offline; o != nil {
		b.Errorf("a new process at the address is born offline: %+v", o)
	}
}
