package namingtest

import (
	"errors"

	"github.com/muster-go/muster/naming"
)

// claimPromises are about two processes that claim one address.
func claimPromises() []promise {
	roster := func(f naming.Features, _ Harness) bool { return f.Roster }
	return []promise{
		{name: "a-first-claim-takes-the-address-over", needs: roster, run: firstClaimTakes},
		{name: "a-claim-made-again-yields", needs: roster, run: claimAgainYields},
		{name: "who-lost-an-address-leaves-it-alone", needs: roster, run: loserLeavesAlone},
	}
}

func firstClaimTakes(b *bench) {
	client := b.process()
	old, young := b.instance(1), b.instance(1)
	loser := b.serve(b.process(), old)
	v := b.watch(client)
	v.shows(old.Addr)
	winner := b.join(b.process(), young)
	b.wait("the first holder to be told", loser.Done())
	b.wantTaken(loser.Err(), young)
	v.shows() // the winner has not said that it is fit
	b.publish(winner)
	v.until("the winner", func(u naming.Update) bool {
		return len(u.Snapshot.Instances) == 1 && u.Snapshot.Instances[0].ID == young.ID
	})
	if c := b.census(winner); c.Alive != 1 || c.Serving != 1 {
		b.Errorf("%+v", c)
	}
}

func claimAgainYields(b *bench) {
	old, young := b.instance(1), b.instance(1)
	p := b.process()
	loser := b.serve(p, old)
	winner := b.serve(b.process(), young)
	b.wait("the first holder to be told", loser.Done())
	for range 3 {
		_, err := p.Join(b.ctx(), naming.Claim{Instance: old, Status: status("waiting", false), Again: true})
		b.wantTaken(err, young)
	}
	b.publish(winner) // undisturbed
	b.must(winner.Leave(b.ctx()))
	m := b.joinAs(p, naming.Claim{Instance: old, Status: status("waiting", false), Again: true})
	b.publish(m)
	b.watch(b.process()).until("the one that yielded", func(u naming.Update) bool {
		return len(u.Snapshot.Instances) == 1 && u.Snapshot.Instances[0].ID == old.ID
	})
}

func loserLeavesAlone(b *bench) {
	old, young := b.instance(1), b.instance(1)
	p := b.process()
	loser := b.serve(p, old)
	winner := b.serve(b.process(), young)
	b.wait("the first holder to be told", loser.Done())
	b.must(loser.Leave(b.ctx()))
	if err := loser.Publish(b.ctx(), status("serving", false), false); err == nil {
		b.Error("a membership that has ended publishes")
	}
	b.must(p.Close())
	b.watch(b.process()).until("the winner", func(u naming.Update) bool {
		return len(u.Snapshot.Instances) == 1 && u.Snapshot.Instances[0].ID == young.ID
	})
	if err := winner.Err(); err != nil {
		b.Error(err)
	}
}

// wantTaken fails unless err says that the address is held by that instance.
func (b *bench) wantTaken(err error, by naming.Instance) {
	b.Helper()
	var taken *naming.TakenError
	if !errors.As(err, &taken) {
		b.Fatalf("got %v, want a *TakenError", err)
	}
	if taken.By != by.ID || taken.Addr != by.Addr || taken.Service != by.Service {
		b.Errorf("%+v, want %s of %s held by %s", taken, by.Addr, by.Service, by.ID)
	}
}
