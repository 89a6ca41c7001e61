package namingtest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/muster-go/muster/naming"
)

// faultPromises are about what others do to a registry, and what happens to it.
func faultPromises() []promise {
	return []promise{
		{
			name: "a-lost-lease-ends-the-membership", run: leaseLost,
			needs: func(_ naming.Features, h Harness) bool { return h.Faults.ExpireLease != nil },
		},
		{
			name: "a-deleted-entry-comes-back", run: servingDeleted,
			needs: func(_ naming.Features, h Harness) bool { return h.Faults.DeleteServing != nil },
		},
		{
			name: "a-deleted-roster-entry-comes-back", run: rosterDeleted,
			needs: func(f naming.Features, h Harness) bool { return f.Roster && h.Faults.DeleteRoster != nil },
		},
		{
			name: "strangers-are-seen-and-counted-as-nobody", run: strangers,
			needs: func(_ naming.Features, h Harness) bool {
				return h.Faults.PutForeign != nil && h.Faults.DeleteServing != nil
			},
		},
		{
			name: "a-stranger-is-replaced-once-and-then-reported", run: overwritten,
			needs: func(f naming.Features, h Harness) bool {
				return f.Roster && h.Faults.PutForeign != nil && h.Faults.DeleteServing != nil
			},
		},
		{
			name: "joining-leaves-a-strangers-entry-alone", run: joinBesideStranger,
			needs: func(f naming.Features, h Harness) bool {
				return f.Roster && h.Faults.PutForeign != nil && h.Faults.DeleteServing != nil
			},
		},
		{
			name: "rubbish-hurts-nobody", run: rubbish,
			needs: func(_ naming.Features, h Harness) bool { return h.Faults.PutRubbish != nil },
		},
		{
			name: "an-outage-empties-no-view", alone: true, run: outage,
			needs: func(_ naming.Features, h Harness) bool { return h.Faults.SetAway != nil },
		},
	}
}

func leaseLost(b *bench) {
	p, client := b.process(), b.process()
	one, two, other := b.instance(1), b.instance(2), b.instance(3)
	serving, waiting := b.serve(p, one), b.join(p, two)
	stays := b.serve(b.process(), other)
	v := b.watch(client)
	v.shows(one.Addr, other.Addr)
	b.h.Faults.ExpireLease(b.TB, p)
	for _, m := range []naming.Membership{serving, waiting} {
		b.wait("Done", m.Done())
		b.wantErr("Err", m.Err(), naming.ErrLost)
		b.wantErr("Publish", m.Publish(b.ctx(), status("serving", false), false), naming.ErrLost)
		b.must(m.Leave(b.ctx()))
	}
	v.shows(other.Addr)
	if v.left[one.Addr] {
		b.Error("a lapse was reported as a leave")
	}
	m := b.joinAs(p, naming.Claim{Instance: one, Status: status("waiting", false), Again: true})
	b.publish(m)
	v.shows(one.Addr, other.Addr)
	if err := stays.Err(); err != nil {
		b.Error(err)
	}
}

// servingDeleted accepts either cure: the driver's own, or a membership that ends so that its holder joins again.
func servingDeleted(b *bench) {
	in := b.instance(1)
	m := b.serve(b.process(), in)
	b.h.Faults.DeleteServing(b.TB, b.ns, b.service, in.Addr)
	v := b.watch(b.process())
	back := make(chan struct{})
	go func() {
		defer close(back)
		select {
		case <-m.Done():
		case <-v.has(in.Addr):
		case <-b.ctx().Done():
		}
	}()
	b.wait("the entry or the end", back)
	if err := m.Err(); err != nil {
		b.wantErr("Err", err, naming.ErrLost)
		return
	}
	v.shows(in.Addr)
	b.withdraw(m, naming.Floor{})
	v.shows()
}

// has returns a channel that is closed when a view has the address.
func (v *viewer) has(addr string) <-chan struct{} {
	c := make(chan struct{})
	go func() {
		for {
			v.mu.Lock()
			found := slices.ContainsFunc(v.all, func(u naming.Update) bool { return slices.Contains(addresses(u.Snapshot), addr) })
			v.mu.Unlock()
			if found {
				close(c)
				return
			}
			select {
			case <-v.wake:
				defer signal(v.wake)
			case <-v.ended:
				return
			}
		}
	}()
	return c
}

func rosterDeleted(b *bench) {
	in := b.instance(1)
	m := b.serve(b.process(), in)
	witness := b.join(b.process(), b.instance(2))
	b.h.Faults.DeleteRoster(b.TB, b.ns, b.service, in.Addr)
	limit := time.Now().Add(b.h.Patience)
	for m.Err() == nil && b.census(witness).Alive != 2 { // each look is a request, and takes its time
		if time.Now().After(limit) {
			b.Fatal("neither the roster's entry nor the end of the membership")
		}
	}
	if err := m.Err(); err != nil {
		b.wantErr("Err", err, naming.ErrLost)
	}
}

func strangers(b *bench) {
	v := b.watch(b.process())
	v.shows()
	foreign, own := b.instance(1), b.instance(2)
	foreign.ID, foreign.Weight = "", 25
	b.h.Faults.PutForeign(b.TB, b.ns, foreign)
	if got := v.shows(foreign.Addr).Snapshot.Instances[0]; got.ID != "" || got.Weight != 25 {
		b.Errorf("%+v", got)
	}
	p := b.process()
	m := b.serve(p, own)
	v.shows(foreign.Addr, own.Addr)
	if b.f.Roster {
		if c := b.census(m); c != (naming.Census{Alive: 1, Serving: 1}) {
			b.Errorf("counted %+v", c)
		}
		beside := b.instance(1)
		over := b.join(p, beside) // alive where a stranger serves
		if c := b.census(m); c != (naming.Census{Alive: 2, Serving: 1}) {
			b.Errorf("counted %+v", c)
		}
		b.must(over.Leave(b.ctx()))
	}
	b.must(m.Leave(b.ctx()))
	b.must(p.Close())
	v.shows(foreign.Addr)
	b.h.Faults.DeleteServing(b.TB, b.ns, b.service, foreign.Addr)
	v.shows()
}

func overwritten(b *bench) {
	in := b.instance(1)
	m := b.serve(b.process(), in)
	foreign := in
	foreign.ID, foreign.Weight = "", 77
	v := b.watch(b.process())
	own := func(u naming.Update) bool {
		return len(u.Snapshot.Instances) == 1 && u.Snapshot.Instances[0].ID == in.ID
	}
	v.until("the own value", own)
	b.h.Faults.PutForeign(b.TB, b.ns, foreign)
	b.settled(m, foreign)
	if c := m.Notice().Conflict; c != "" {
		b.Errorf("the first time is a conflict already: %s", c)
	}
	b.h.Faults.PutForeign(b.TB, b.ns, foreign)
	for m.Notice().Conflict == "" {
		b.wait("a conflict to be reported", m.Changed())
	}
	if err := m.Err(); err != nil {
		b.Fatal(err)
	}
	b.h.Faults.DeleteServing(b.TB, b.ns, b.service, in.Addr)
	b.must(m.Annotate(b.ctx(), status("serving", false)))
	for m.Notice().Conflict != "" {
		b.wait("the conflict to be over", m.Changed())
	}
	b.watch(b.process()).until("the own value", own)
}

// settled waits until the member has its own value back.
func (b *bench) settled(m naming.Membership, foreign naming.Instance) {
	b.Helper()
	limit := time.Now().Add(b.h.Patience)
	for b.census(m).Serving != 1 {
		if time.Now().After(limit) {
			b.Fatalf("a stranger's value at %s stays", foreign.Addr)
		}
	}
}

// joinBesideStranger accepts a driver that yields at once, and one that joins and leaves the stranger's entry alone.
func joinBesideStranger(b *bench) {
	p, in := b.process(), b.instance(1)
	b.must(b.serve(p, in).Leave(b.ctx()))
	foreign := in
	foreign.ID = ""
	b.h.Faults.PutForeign(b.TB, b.ns, foreign)
	claim := naming.Claim{Instance: in, Status: status("waiting", false), Again: true}
	m, err := p.Join(b.ctx(), claim)
	if err != nil {
		foreign.ID = "a stranger"
		b.wantTaken(err, foreign)
	}
	v := b.watch(b.process())
	v.shows(in.Addr)
	if err == nil {
		b.must(m.Leave(b.ctx()))
		b.watch(b.process()).shows(in.Addr)
	}
	b.h.Faults.DeleteServing(b.TB, b.ns, b.service, in.Addr)
	v.shows()
	b.joinAs(p, claim)
}

func rubbish(b *bench) {
	v := b.watch(b.process())
	v.shows()
	b.h.Faults.PutRubbish(b.TB, b.ns, b.service)
	in := b.instance(1)
	m := b.serve(b.process(), in)
	v.shows(in.Addr)
	b.watch(b.process()).shows(in.Addr)
	if b.f.Roster {
		if c := b.census(m); c != (naming.Census{Alive: 1, Serving: 1}) {
			b.Errorf("counted %+v", c)
		}
	}
}

func outage(b *bench) {
	p, in := b.process(), b.instance(1)
	m := b.serve(p, in)
	v := b.watch(p)
	v.shows(in.Addr)
	before := v.seen()
	b.h.Faults.SetAway(b.TB, true)
	back := false
	defer func() {
		if !back {
			b.h.Faults.SetAway(b.TB, false)
		}
	}()
	fresh := b.watchService(p, b.service+".cold") // waits, and makes nothing up
	short, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := m.Publish(short, status("held", true), true); err == nil {
		b.Error("published without a registry")
	}
	if _, err := p.Join(short, naming.Claim{Instance: b.instance(2)}); err == nil {
		b.Error("joined without a registry")
	} else if strings.Contains(err.Error(), naming.ErrInvalid.Error()) {
		b.Errorf("an outage is no invalid claim: %v", err)
	}
	if took := time.Since(begin); took > b.h.Patience/2 {
		b.Errorf("two calls that have 300 ms together took %v", took)
	}
	if fresh.seen() != 0 {
		b.Error("a first view without a registry")
	}
	b.h.Faults.SetAway(b.TB, false)
	back = true
	fresh.shows()
	b.publish(m)
	two := b.instance(3)
	b.serve(p, two)
	v.shows(in.Addr, two.Addr)
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, u := range v.all[before:] {
		if len(u.Snapshot.Instances) == 0 {
			b.Error("an empty view because the registry was away")
		}
	}
}
