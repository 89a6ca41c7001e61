package etcd

import (
	"fmt"
	"math/bits"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/naming"
)

// The model is the floor's protocol without etcd: a few instances whose every step (a read, a commit, a probe's verdict, a
// join, the two halves of a leave, the end of a lease) may come between any two others. What an instance may do, and what
// its transaction compares, is decided by the driver's own functions. A breadth-first search visits every state that can be
// reached.

// slot is the place of one instance.
type slot struct {
	alive bool // on the roster
	key   uint8
	fit   bool // what its probes say
	unfit bool // what its roster entry says
	once  bool // it has been fit, so it looks at the others when it is not
	kept  bool // held by the floor
	drain bool // on its way out
	op    uint8
	stale bool  // op is withdrawing, and the guard has changed since the read
	wit   uint8 // op is withdrawing: whose keys the transaction compares
}

const ( // slot.key
	noKey = iota
	listedKey
	leavingKey
)

const ( // slot.op: the request in flight
	noOp = iota
	withdrawing
	unlisting
	holding
	publishing
	degrading
)

// maxSlots is how many instances the model knows at most.
const maxSlots = 4

type world [maxSlots]slot

// move is one step of one instance.
type move struct {
	name string
	who  uint8
}

func (m move) String() string { return fmt.Sprintf("%d %s", m.who+1, m.name) }

// protocol is what is modelled. The switches take a part of it away, to show that the model would notice.
type protocol struct {
	n           int
	floor       naming.Floor
	noWitnesses bool // don't compare that others still serve
	noGuard     bool // don't compare the guard
	quietJoin   bool // a join does not change the guard
	noSpace     bool // etcd may be out of space at any time, so that a withdrawal is a bare deletion

	others [maxSlots]witness // room for a count's, which is used before the next
}

// count is what instance i reads.
func (p *protocol) count(w *world, i int) count {
	c := count{guard: 1, marked: w[i].key == leavingKey, selfUnfit: w[i].unfit, others: p.others[:0]}
	for j := range p.n {
		s := &w[j]
		if !s.alive {
			continue
		}
		c.Alive++
		if s.unfit {
			c.Unfit++
		}
		if s.key == listedKey {
			c.Serving++
			if j != i {
				c.others = append(c.others, witness{key: "0123"[j : j+1], rev: 1})
			}
		}
	}
	return c
}

// bump changes the guard.
func (w *world) bump() {
	for i := range w {
		w[i].stale = w[i].op == withdrawing
	}
}

// next calls visit with every state that can follow w, and the step that leads there. It returns a breach of the floor.
func (p *protocol) next(w world, visit func(world, move)) (breach string) {
	for i := range p.n {
		step := func(name string, change func(w *world, s *slot)) {
			to := w
			change(&to, &to[i])
			visit(to, move{name, uint8(i)})
		}
		s := w[i]
		if !s.alive {
			for _, fit := range []bool{true, false} {
				step("join", func(w *world, s *slot) {
					*s = slot{alive: true, fit: fit, once: fit}
					if !p.quietJoin {
						w.bump()
					}
				})
			}
			continue
		}
		step("expire", func(_ *world, s *slot) { *s = slot{} })
		if s.drain {
			step("leave", func(w *world, s *slot) { *s = slot{}; w.bump() })
			continue
		}
		step("turn", func(_ *world, s *slot) { s.fit = !s.fit; s.once = s.once || s.fit })
		if s.op != noOp {
			if b := p.commit(w, i, step); b != "" {
				breach = b
			}
			continue
		}
		step("drain", func(w *world, s *slot) { // if it is listed it announces its leave first
			if s.key == listedKey {
				*s = slot{alive: true, key: leavingKey, unfit: s.unfit, drain: true}
			} else {
				*s = slot{}
			}
			w.bump()
		})
		if s.unfit == s.fit {
			step("annotate", func(_ *world, s *slot) { s.unfit = !s.fit })
		}
		p.plan(w, i, step)
	}
	return breach
}

type stepper = func(name string, change func(*world, *slot))

// plan is what an instance without a request in flight does next.
func (p *protocol) plan(w world, i int, step stepper) {
	s := w[i]
	switch {
	case s.fit && (s.key != listedKey || s.kept):
		step("publish", func(_ *world, s *slot) { s.op = publishing })
	case !s.fit && s.key == listedKey && !s.kept:
		p.read(w, i, step)
	case !s.fit && s.once:
		c := p.count(&w, i)
		switch {
		case p.floor.Opens(c.Census) || p.floor.Short(c.Census):
			step("look", func(_ *world, s *slot) { s.op = degrading })
		case s.kept && p.floor.Permits(c.Census, c.selfUnfit):
			step("look", func(_ *world, s *slot) { s.kept = false }) // after some looks, and maybe at the first
		}
	}
}

// read takes the count for a withdrawal, with every choice of witnesses.
func (p *protocol) read(w world, i int, step stepper) {
	c := p.count(&w, i)
	if _, permitted := c.premises(p.floor); !permitted {
		step("read", func(_ *world, s *slot) { s.op = holding })
		return
	}
	tried := map[uint8]bool{}
	permute(c.others, 0, func() {
		pre, _ := c.premises(p.floor)
		mask := uint8(0)
		for _, w := range pre.witnesses {
			mask |= 1 << (w.key[0] - '0')
		}
		if p.noWitnesses {
			mask = 0
		}
		if !tried[mask] {
			tried[mask] = true
			step("read", func(_ *world, s *slot) { s.op, s.wit = withdrawing, mask })
		}
	})
}

func permute[T any](all []T, from int, visit func()) {
	if from >= len(all) {
		visit()
		return
	}
	for i := from; i < len(all); i++ {
		all[from], all[i] = all[i], all[from]
		permute(all, from+1, visit)
		all[from], all[i] = all[i], all[from]
	}
}

// commit ends the request in flight.
func (p *protocol) commit(w world, i int, step stepper) (breach string) {
	s := w[i]
	switch s.op {
	case withdrawing:
		holds := !s.stale || p.noGuard
		for j := range p.n {
			// Whatever else could have changed a witness's key has changed the guard, too.
			holds = holds && (s.wit&(1<<j) == 0 || w[j].alive && w[j].key != noKey)
		}
		if !holds {
			step("lose", func(_ *world, s *slot) { s.op, s.stale, s.wit = noOp, false, 0 })
			return ""
		}
		to := w
		to[i].op = noOp
		to[i].key, to[i].unfit = leavingKey, true
		if c := p.count(&to, i); !p.floor.Strict() && p.floor.Short(c.Census) {
			breach = fmt.Sprintf("%d withdraws, and %d of %d serve", i+1, c.Serving, c.Alive)
		}
		if p.noSpace {
			step("delete", func(_ *world, s *slot) { s.op, s.stale, s.wit, s.key = noOp, false, 0, noKey })
		}
		step("withdraw", func(w *world, s *slot) {
			s.op, s.stale, s.wit = unlisting, false, 0
			s.key, s.unfit = leavingKey, true
			w.bump()
		})
	case unlisting:
		step("unlist", func(_ *world, s *slot) { s.op, s.key = noOp, noKey })
	case holding:
		step("hold", func(_ *world, s *slot) { s.op, s.kept, s.unfit = noOp, true, true })
	case publishing:
		step("publish", func(w *world, s *slot) { s.op, s.key, s.kept, s.unfit = noOp, listedKey, false, false; w.bump() })
	case degrading:
		step("degrade", func(w *world, s *slot) { s.op, s.key, s.kept, s.unfit = noOp, listedKey, true, true; w.bump() })
	}
	return breach
}

// repaired is the state after everybody has ended what is in flight, said how it is, and acted on what it sees once.
func (p *protocol) repaired(w world, backwards bool) world {
	each := func(f func(i int, s *slot)) {
		for k := range p.n {
			i := k
			if backwards {
				i = p.n - 1 - k
			}
			if w[i].alive && !w[i].drain {
				f(i, &w[i])
			}
		}
	}
	finish := func(i int, s *slot) {
		for s.op != noOp {
			p.commit(w, i, func(_ string, change func(*world, *slot)) { change(&w, s) })
		}
	}
	each(finish)
	each(func(_ int, s *slot) { s.unfit = !s.fit })
	each(func(i int, s *slot) {
		done := false
		p.plan(w, i, func(_ string, change func(*world, *slot)) {
			if !done { // of several choices of witnesses, the first
				change(&w, s)
				done = true
			}
		})
		finish(i, s)
	})
	return w
}

// short describes a state in which fewer serve than the floor needs and than could.
func (p *protocol) short(w *world) string {
	c, able := p.count(w, 0), 0
	for i := range p.n {
		if s := &w[i]; s.alive && !s.drain && (s.fit || s.once) {
			able++
		}
	}
	if need := min(p.floor.Need(c.Alive), able); c.Serving < need {
		return fmt.Sprintf("%d of %d serve, %d could, %d have to", c.Serving, c.Alive, able, need)
	}
	return ""
}

// search visits every state and returns how many there are, with the shortest way to the first breach.
func (p *protocol) search() (states int, breach string) {
	states, at, breach := p.visit(nil)
	if breach == "" {
		return states, ""
	}
	parents := map[uint64]parent{} // once more, to know the way; without these there is room for many more states
	p.visit(parents)
	var steps []string
	for f, ok := parents[at]; ok; f, ok = parents[at] {
		steps = append(steps, f.by.String())
		at = f.from
	}
	slices.Reverse(steps)
	return states, breach + ", after: " + strings.Join(steps, ", ")
}

// parent is how a state was reached.
type parent struct {
	from uint64
	by   move
}

// visit is the breadth-first search. It ends at the first breach, and returns the state where that was found.
func (p *protocol) visit(parents map[uint64]parent) (states int, at uint64, breach string) {
	orders := p.orders()
	var start world
	seen := map[uint64]struct{}{p.pack(start, orders): {}}
	for queue := []world{start}; len(queue) > 0; queue = queue[1:] {
		w := queue[0]
		at = p.pack(w, orders)
		breach := p.next(w, func(to world, by move) {
			key := p.pack(to, orders)
			if _, known := seen[key]; known {
				return
			}
			seen[key] = struct{}{}
			queue = append(queue, to)
			if parents != nil {
				parents[key] = parent{at, by}
			}
		})
		for _, backwards := range []bool{false, true} {
			if r := p.repaired(w, backwards); breach == "" && p.short(&r) != "" {
				breach = "not repaired: " + p.short(&r)
			}
		}
		if breach != "" {
			return len(seen), at, breach
		}
	}
	return len(seen), at, ""
}

// orders returns every order of the instances.
func (p *protocol) orders() (all [][]int) {
	order := make([]int, p.n)
	for i := range order {
		order[i] = i
	}
	permute(order, 0, func() { all = append(all, slices.Clone(order)) })
	return all
}

// pack makes a number of a state, the same one for states that differ in the instances' order alone.
func (p *protocol) pack(w world, orders [][]int) uint64 {
	var plain [maxSlots]uint64 // all but the witnesses
	for i := range p.n {
		s := &w[i]
		plain[i] = uint64(s.key)<<7 | uint64(s.op)<<9
		for b, set := range [...]bool{s.alive, s.fit, s.unfit, s.once, s.kept, s.drain, s.stale} {
			if set {
				plain[i] |= 1 << b
			}
		}
	}
	least := ^uint64(0)
orders:
	for _, order := range orders {
		for k := 1; k < len(order); k++ {
			if plain[order[k-1]] > plain[order[k]] {
				continue orders // not sorted, so not the one
			}
		}
		var to [maxSlots]uint8 // where each has gone
		for k, i := range order {
			to[i] = uint8(k)
		}
		var sum uint64
		for _, i := range order {
			v := plain[i]
			for wit := w[i].wit; wit != 0; wit &= wit - 1 {
				v |= 1 << (12 + to[bits.TrailingZeros8(wit)])
			}
			sum = sum<<16 | v
		}
		least = min(least, sum)
	}
	return least
}

// TestFloorModel: in no state that can be reached a withdrawal commits below the floor, and from each, whoever has died, the
// floor holds again after one look of everybody, wherever enough instances live. (A gate that sees too few serving though
// few are unfit looks twice before it helps out.)
func TestFloorModel(t *testing.T) {
	t.Parallel()
	for _, p := range []protocol{
		{n: 1, floor: naming.Percent(50)},
		{n: 1, floor: naming.Count(1)},
		{n: 2, floor: naming.Percent(50)},
		{n: 3, floor: naming.Percent(50)},
		{n: 3, floor: naming.Percent(67)},
		{n: 3, floor: naming.Percent(100)},
		{n: 3, floor: naming.Count(1)},
		{n: 3, floor: naming.Count(2)},
		{n: 3, floor: naming.Floor{}},
		{n: 3, floor: naming.Percent(50), noSpace: true},
		{n: 3, floor: naming.Percent(67), noSpace: true},
		{n: 3, floor: naming.Count(1), noSpace: true},
		{n: 4, floor: naming.Percent(50)},
		{n: 4, floor: naming.Percent(75)},
		{n: 4, floor: naming.Percent(75), noSpace: true},
		{n: 4, floor: naming.Count(3)},
	} {
		name := fmt.Sprintf("%d instances, floor %v", p.n, p.floor)
		if p.noSpace {
			name += ", out of space"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if p.n == maxSlots && (raced || (p.floor != naming.Percent(50) || p.noSpace) && os.Getenv("FLOOR_REPETITIONS") == "") {
				t.Skip("takes a while; CI sets FLOOR_REPETITIONS, without the race detector")
			}
			began := time.Now()
			states, breach := p.search()
			t.Logf("%d states in %v", states, time.Since(began).Round(time.Millisecond))
			if breach != "" {
				t.Error(breach)
			}
		})
	}
}

// TestFloorModelNotices: without any one part of the protocol there is a way below the floor, and the model finds it.
func TestFloorModelNotices(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]protocol{
		"no witnesses":                     {n: 4, floor: naming.Percent(50), noWitnesses: true},
		"no guard":                         {n: 4, floor: naming.Percent(50), noGuard: true},
		"joins that don't touch the guard": {n: 4, floor: naming.Percent(50), quietJoin: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, breach := p.search()
			if breach == "" {
				t.Fatal("the model has not noticed")
			}
			t.Log(breach)
		})
	}
}
