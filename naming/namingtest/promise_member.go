package namingtest

import (
	"context"
	"sync"

	"github.com/muster-go/muster/naming"
)

// memberPromises are those of a Registrar and its memberships.
func memberPromises() []promise {
	roster := func(f naming.Features, _ Harness) bool { return f.Roster }
	marks := func(f naming.Features, _ Harness) bool { return f.Marks }
	return []promise{
		{name: "joining-is-not-serving", run: joiningIsNotServing},
		{name: "publishing-again-changes-nothing", run: publishTwice},
		{name: "withdrawing-again-changes-nothing", run: withdrawTwice},
		{name: "leave", run: leaveOnce},
		{name: "leave-again", run: func(b *bench) {
			m := b.serve(b.process(), b.instance(1))
			b.must(m.Leave(b.ctx()))
			b.must(m.Leave(b.ctx()))
		}},
		{name: "leave-without-publish", run: func(b *bench) {
			m := b.join(b.process(), b.instance(1))
			b.must(m.Leave(b.ctx()))
			b.wait("Done", m.Done())
			b.watch(b.process()).shows()
		}},
		{name: "a-membership-that-has-ended-answers-its-end", run: afterDone},
		{name: "an-ended-context-ends-the-call", run: endedContext},
		{name: "close-ends-and-removes-everything", run: closeEnds},
		{name: "what-is-invalid-is-refused", run: invalid},
		{name: "join-again-after-leave", run: func(b *bench) {
			p, in := b.process(), b.instance(1)
			v := b.watch(b.process())
			for range 5 {
				m := b.serve(p, in)
				v.shows(in.Addr)
				b.must(m.Leave(b.ctx()))
				v.shows()
			}
		}},
		{name: "two-instances-of-one-process", run: func(b *bench) {
			p, one, two := b.process(), b.instance(1), b.instance(2)
			v := b.watch(b.process())
			first := b.serve(p, one)
			b.serve(p, two)
			v.shows(one.Addr, two.Addr)
			b.must(first.Leave(b.ctx()))
			v.shows(two.Addr)
		}},
		{name: "members-of-one-process-at-once", run: membersAtOnce},
		{name: "leaving-is-announced", needs: marks, run: func(b *bench) {
			v := b.watch(b.process())
			v.shows()
			in := b.instance(1)
			m := b.serve(b.process(), in)
			v.shows(in.Addr)
			b.must(m.Leave(b.ctx()))
			v.shows()
			if !v.left[in.Addr] {
				b.Error("gone without a word")
			}
		}},
		{name: "withdrawing-is-announced-and-publishing-takes-it-back", needs: marks, run: func(b *bench) {
			v := b.watch(b.process())
			v.shows()
			in := b.instance(1)
			m := b.serve(b.process(), in)
			v.shows(in.Addr)
			b.withdraw(m, naming.Floor{})
			v.shows()
			if !v.left[in.Addr] {
				b.Error("gone without a word")
			}
			b.publish(m)
			v.shows(in.Addr)
		}},
		{name: "closing-is-announced", needs: marks, run: func(b *bench) {
			v := b.watch(b.process())
			v.shows()
			in, p := b.instance(1), b.process()
			b.serve(p, in)
			v.shows(in.Addr)
			b.must(p.Close())
			v.shows()
			if !v.left[in.Addr] {
				b.Error("gone without a word")
			}
		}},
		{name: "census-counts-the-roster", needs: roster, run: census},
		{name: "annotating-lists-nothing", needs: roster, run: func(b *bench) {
			v := b.watch(b.process())
			v.shows()
			m := b.join(b.process(), b.instance(1))
			b.must(m.Annotate(b.ctx(), status("withdrawn", true)))
			if c := b.census(m); c != (naming.Census{Alive: 1, Unfit: 1}) {
				b.Errorf("%+v", c)
			}
			two := b.instance(2)
			b.serve(b.process(), two)
			v.shows(two.Addr)
		}},
	}
}

func joiningIsNotServing(b *bench) {
	v := b.watch(b.process())
	v.shows()
	in, p := b.instance(1), b.process()
	m := b.join(p, in)
	if err := m.Err(); err != nil {
		b.Errorf("Err of a live membership: %v", err)
	}
	if n := m.Notice(); n.Offline != nil || n.Conflict != "" {
		b.Errorf("notice %+v", n)
	}
	b.publish(m)
	v.shows(in.Addr)
	if n := v.seen(); n != 2 {
		b.Errorf("%d views, want an empty one and one with the instance", n)
	}
}

func publishTwice(b *bench) {
	v := b.watch(b.process())
	v.shows()
	p, in, two := b.process(), b.instance(1), b.instance(2)
	m := b.serve(p, in)
	first := v.shows(in.Addr).Snapshot.Instances[0]
	for range 3 {
		b.publish(m)
	}
	b.serve(p, two)
	if second := v.shows(in.Addr, two.Addr).Snapshot.Instances[0]; first != second {
		b.Error("another pointer after the same publication")
	}
}

func withdrawTwice(b *bench) {
	p, in := b.process(), b.instance(1)
	m := b.join(p, in)
	for range 2 {
		if o := b.withdraw(m, naming.Floor{}); o != naming.Withdrawn {
			b.Errorf("what does not serve is %v", o)
		}
	}
	b.publish(m)
	for range 2 {
		if o := b.withdraw(m, naming.Floor{}); o != naming.Withdrawn {
			b.Errorf("under a strict floor: %v", o)
		}
	}
	b.watch(b.process()).shows()
	b.publish(m)
	b.watch(b.process()).shows(in.Addr)
}

func leaveOnce(b *bench) {
	v := b.watch(b.process())
	v.shows()
	in := b.instance(1)
	m := b.serve(b.process(), in)
	v.shows(in.Addr)
	b.must(m.Leave(b.ctx()))
	v.shows()
	b.wait("Done", m.Done())
	b.wantErr("Err", m.Err(), naming.ErrLeft)
}

func afterDone(b *bench) {
	m := b.serve(b.process(), b.instance(1))
	b.must(m.Leave(b.ctx()))
	st := status("serving", false)
	b.wantErr("Publish", m.Publish(b.ctx(), st, false), naming.ErrLeft)
	_, err := m.Withdraw(b.ctx(), naming.Percent(50), st, st)
	b.wantErr("Withdraw", err, naming.ErrLeft)
	b.wantErr("Annotate", m.Annotate(b.ctx(), st), naming.ErrLeft)
	_, err = m.Census(b.ctx())
	b.wantErr("Census", err, naming.ErrLeft)
	b.watch(b.process()).shows()
}

func endedContext(b *bench) {
	p, in := b.process(), b.instance(1)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if m, err := p.Join(ended, naming.Claim{Instance: in}); err == nil {
		b.must(m.Leave(b.ctx())) // it may have been quick enough not to look
	}
	m := b.serve(p, in)
	_ = m.Publish(ended, status("serving", false), false)
	_ = m.Annotate(ended, status("serving", false))
	b.publish(m) // the same membership goes on
	b.watch(b.process()).shows(in.Addr)
	_ = m.Leave(ended)
	b.wait("Done after a Leave whose context had ended", m.Done())
}

func closeEnds(b *bench) {
	p, client := b.process(), b.process()
	one, two := b.instance(1), b.instance(2)
	serving, waiting := b.serve(p, one), b.join(p, two)
	watching := b.watch(p)
	watching.shows(one.Addr)
	v := b.watch(client)
	v.shows(one.Addr)
	b.must(p.Close())
	b.must(p.Close())
	v.shows()
	for _, m := range []naming.Membership{serving, waiting} {
		b.wait("Done", m.Done())
		b.wantErr("Err", m.Err(), naming.ErrLeft)
		b.must(m.Leave(b.ctx()))
	}
	if err := watching.ends(); err == nil {
		b.Error("a watch ends with a nil error")
	}
	_, err := p.Join(b.ctx(), naming.Claim{Instance: one})
	b.wantErr("Join after Close", err, naming.ErrClosed)
	b.wantErr("Watch after Close", p.Watch(b.ctx(), b.service, func(naming.Update) {}), naming.ErrClosed)
}

func invalid(b *bench) {
	p, good := b.process(), b.instance(1)
	for what, change := range map[string]func(*naming.Instance){
		"no service":     func(in *naming.Instance) { in.Service = "" },
		"a slash":        func(in *naming.Instance) { in.Service = "a/b" },
		"no address":     func(in *naming.Instance) { in.Addr = "" },
		"no port":        func(in *naming.Instance) { in.Addr = "10.0.0.1" },
		"unspecified":    func(in *naming.Instance) { in.Addr = "0.0.0.0:80" },
		"link-local":     func(in *naming.Instance) { in.Addr = "169.254.1.1:80" },
		"a bad weight":   func(in *naming.Instance) { in.Weight = -1 },
		"Muster's tag":   func(in *naming.Instance) { in.Tags = map[string]string{naming.TagPrefix + "x": "y"} },
		"no instance id": func(in *naming.Instance) { in.ID = "" },
	} {
		in := good
		change(&in)
		_, err := p.Join(b.ctx(), naming.Claim{Instance: in})
		b.wantErr(what, err, naming.ErrInvalid)
	}
	b.serve(p, good)
}

// membersAtOnce has one process's instances come and go together.
func membersAtOnce(b *bench) {
	p := b.process()
	v := b.watch(b.process())
	v.shows()
	var wg sync.WaitGroup
	for n := range 16 {
		in := b.instance(n)
		wg.Go(func() {
			for range 3 {
				m, err := p.Join(b.ctx(), naming.Claim{Instance: in, Status: status("waiting", false)})
				if err == nil {
					err = m.Publish(b.ctx(), status("serving", false), false)
				}
				if err == nil {
					_, err = m.Withdraw(b.ctx(), naming.Floor{}, status("withdrawn", true), status("held", true))
				}
				if err == nil {
					err = m.Leave(b.ctx())
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	last := b.instance(99)
	b.serve(p, last)
	v.shows(last.Addr)
}

func census(b *bench) {
	var ms []naming.Membership
	for n := range 4 {
		ms = append(ms, b.join(b.process(), b.instance(n)))
	}
	want := func(c naming.Census) {
		b.Helper()
		if got := b.census(ms[0]); got != c {
			b.Errorf("counted %+v, want %+v", got, c)
		}
	}
	want(naming.Census{Alive: 4})
	for _, m := range ms[:3] {
		b.publish(m)
	}
	want(naming.Census{Alive: 4, Serving: 3})
	b.must(ms[3].Annotate(b.ctx(), status("waiting", true)))
	want(naming.Census{Alive: 4, Serving: 3, Unfit: 1})
	b.withdraw(ms[2], naming.Floor{})
	want(naming.Census{Alive: 4, Serving: 2, Unfit: 2})
	b.must(ms[1].Publish(b.ctx(), status("held", true), true))
	want(naming.Census{Alive: 4, Serving: 2, Unfit: 3})
	b.must(ms[3].Leave(b.ctx()))
	want(naming.Census{Alive: 3, Serving: 2, Unfit: 2})
}
