package namingtest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/muster-go/muster/naming"
)

// viewPromises are those of a Watcher.
func viewPromises() []promise {
	return []promise{
		{name: "first-view-may-be-empty", run: func(b *bench) {
			if u := b.watch(b.process()).shows(); u.Left != nil {
				b.Errorf("left %v", u.Left)
			}
		}},
		{name: "first-view-is-complete", run: firstViewIsComplete},
		{name: "no-change-is-lost-between-read-and-watch", run: noChangeIsLost},
		{name: "what-has-not-changed-keeps-its-pointer", run: pointersStay},
		{name: "what-is-published-arrives-as-it-was", run: roundTrip},
		{name: "a-slow-reader-gets-the-latest", run: slowReader},
		{name: "many-watchers", run: manyWatchers},
		{name: "services-do-not-mix", run: servicesDoNotMix},
		{name: "namespaces-do-not-mix", run: namespacesDoNotMix},
		{name: "a-watch-ends-with-its-context", run: watchEnds},
		{name: "a-name-that-can-be-none-is-refused", run: func(b *bench) {
			err := b.process().Watch(b.ctx(), "a/b", func(naming.Update) { b.Error("a view of it") })
			b.wantErr("Watch", err, naming.ErrInvalid)
		}},
		{name: "scope", run: func(b *bench) {
			p := b.process()
			if s := p.Scope(); s == "" || s != p.Scope() || s != b.process().Scope() {
				b.Errorf("scope %q is empty or changes", s)
			}
		}},
		{name: "link-is-up-once-something-was-read", run: func(b *bench) {
			p := b.process()
			b.watch(p).shows()
			if l := p.Link(); !l.Up || l.Since.IsZero() {
				b.Errorf("%+v", l)
			}
		}},
		{
			name: "nothing-is-asked-while-nothing-changes", alone: true, run: silence,
			needs: func(_ naming.Features, h Harness) bool { return h.Requests != nil },
		},
	}
}

func firstViewIsComplete(b *bench) {
	server, client := b.process(), b.process()
	var want []string
	for n := range 12 {
		in := b.instance(n)
		b.serve(server, in)
		want = append(want, in.Addr)
	}
	first := b.watch(client).until("anything", func(naming.Update) bool { return true })
	if got := addresses(first.Snapshot); fmt.Sprint(got) != fmt.Sprint(sorted(want)) {
		b.Errorf("first view %v, want %v", got, want)
	}
}

// noChangeIsLost begins watches while instances come and go.
func noChangeIsLost(b *bench) {
	server, client := b.process(), b.process()
	const rounds = 20
	views := make([]*viewer, 0, rounds)
	var want []string
	for n := range rounds {
		in := b.instance(n)
		m := b.join(server, in)
		views = append(views, b.watch(client))
		b.publish(m)
		if n%3 == 0 {
			b.must(m.Leave(b.ctx()))
			continue
		}
		want = append(want, in.Addr)
	}
	for _, v := range views {
		v.shows(want...)
	}
}

func pointersStay(b *bench) {
	server, client := b.process(), b.process()
	one, two := b.instance(1), b.instance(2)
	b.serve(server, one)
	v := b.watch(client)
	before := v.shows(one.Addr).Snapshot
	m := b.serve(server, two)
	between := v.shows(one.Addr, two.Addr).Snapshot
	b.withdraw(m, naming.Floor{})
	after := v.shows(one.Addr).Snapshot
	if before.Instances[0] != between.Instances[0] || between.Instances[0] != after.Instances[0] {
		b.Error("an instance that has not changed is another pointer")
	}
	if r := [...]int64{before.Revision, between.Revision, after.Revision}; r[0] != 0 && (r[0] >= r[1] || r[1] >= r[2]) {
		b.Errorf("revisions %v don't grow", r)
	}
}

func roundTrip(b *bench) {
	server, client := b.process(), b.process()
	in := b.instance(1)
	in.Weight, in.Tags = 37, map[string]string{"zone": "a/b", "über": "ok", "empty": ""}
	b.serve(server, in)
	got := b.watch(client).shows(in.Addr).Snapshot.Instances[0]
	want := in
	if !b.f.Roster {
		want.ID = got.ID // a registry without a roster may not know it
	}
	if !got.Equal(&want) {
		b.Errorf("got %+v, want %+v", got, want)
	}
}

func slowReader(b *bench) {
	server, client := b.process(), b.process()
	m := b.join(server, b.instance(1))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	entered, release := make(chan struct{}, 1), make(chan struct{})
	var mu sync.Mutex
	var inside, calls int
	last := make(chan naming.Update, 1000)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = client.Watch(ctx, b.service, func(u naming.Update) {
			mu.Lock()
			inside++
			calls++
			if inside > 1 {
				b.Error("two calls of emit at once")
			}
			mu.Unlock()
			signal(entered)
			<-release
			mu.Lock()
			inside--
			mu.Unlock()
			last <- u
		})
	}()
	b.wait("the first view", entered)
	const flips = 20
	for range flips {
		b.publish(m)
		b.withdraw(m, naming.Floor{})
	}
	b.publish(m)
	close(release)
	for u := range last {
		if len(u.Snapshot.Instances) == 1 {
			mu.Lock()
			if calls > flips {
				b.Errorf("%d calls: changes that a slow reader missed have to join into one", calls)
			}
			mu.Unlock()
			break
		}
	}
	cancel()
	b.wait("the watch to end", ended)
}

func manyWatchers(b *bench) {
	server, client := b.process(), b.process()
	var views []*viewer
	for range 20 {
		v := b.watch(client)
		v.shows()
		views = append(views, v)
	}
	in := b.instance(1)
	m := b.serve(server, in)
	for _, v := range views {
		v.shows(in.Addr)
	}
	b.must(m.Leave(b.ctx()))
	for _, v := range views {
		v.shows()
	}
}

func servicesDoNotMix(b *bench) {
	server, client := b.process(), b.process()
	mine, others := b.instance(1), b.instance(2)
	v := b.watch(client)
	v.shows()
	for _, name := range []string{b.service + "2", b.service + ".sub", b.service[:len(b.service)-1]} {
		in := others
		in.Service = name
		b.serve(server, in)
		b.watchService(client, name).shows(in.Addr)
	}
	b.serve(server, mine)
	v.shows(mine.Addr)
	if n := v.seen(); n != 2 {
		b.Errorf("%d views, want an empty one and one with the instance", n)
	}
}

func namespacesDoNotMix(b *bench) {
	a := b.process()
	in := b.instance(1)
	b.serve(a, in)
	for _, ns := range []naming.Namespace{space(b.TB, "suite-b", ""), space(b.TB, "suite-a", "blue"), space(b.TB, "suite", "a")} {
		p := b.processIn(ns)
		if p.Scope() == a.Scope() {
			b.Errorf("%v and %v have one scope", ns, b.ns)
		}
		v := b.watch(p)
		v.shows()
		other := b.instance(1) // the same address
		m := b.serve(p, other)
		v.shows(other.Addr)
		if b.f.Roster {
			if c := b.census(m); c.Alive != 1 {
				b.Errorf("%v counts %+v", ns, c)
			}
		}
		b.must(m.Leave(b.ctx()))
		v.shows()
	}
	b.watch(a).shows(in.Addr)
}

func watchEnds(b *bench) {
	p := b.process()
	v := b.watch(p)
	v.shows()
	v.cancel()
	b.wantErr("Watch", v.ends(), context.Canceled)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b.wantErr("Watch with an ended context", p.Watch(ctx, b.service, func(naming.Update) {}), context.Canceled)
	b.watch(p).shows() // it disturbs no later one
}

// silence waits without anything to wait for: that nothing happens is what it tests.
func silence(b *bench) {
	server, client := b.process(), b.process()
	in := b.instance(1)
	b.serve(server, in)
	for range 5 {
		b.watch(client).shows(in.Addr)
	}
	quiet, cancel := context.WithTimeout(context.Background(), b.h.Quiet)
	defer cancel()
	before := b.h.Requests()
	<-quiet.Done()
	if n := b.h.Requests() - before; n != 0 {
		b.Errorf("%d requests in %v without a change", n, b.h.Quiet)
	}
}

func sorted(all []string) []string {
	all = slices.Clone(all)
	slices.Sort(all)
	return all
}
