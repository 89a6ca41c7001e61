package catalog

import (
	"slices"
	"strings"
	"time"

	"github.com/muster-go/muster/internal/ends"
	"github.com/muster-go/muster/naming"
)

// window is the time within which lapses count as one event: leases that one failure ends expire over a third of their
// time to live, and a registry reports them one by one. It is enough for leases of a minute, spread over 20 s: once half of
// the instances have lapsed, they and all that follow are suspects. Of leases of 5 min a sixth is kept.
const window = 10 * time.Second

// state is what a service's owner knows. Its methods are pure: they return the next state and share with the old one only
// what neither modifies.
type state struct {
	// listed is what the registry says.
	listed []*naming.Instance
	// missing are those that lapsed lately, or that are suspects; sorted by address, none of them listed.
	missing []missing
}

// missing is an instance that vanished without announcing it.
type missing struct {
	inst *naming.Instance
	at   time.Time
	// until is when a suspect is given up; zero for one that lapsed among few, and is not in the view.
	until time.Time
}

func (m missing) suspect() bool { return !m.until.IsZero() }

// over reports whether m no longer matters.
func (m missing) over(now time.Time) bool {
	if m.suspect() {
		return !now.Before(m.until)
	}
	return now.Sub(m.at) >= window
}

// updated is the state after the registry's update. hold is how long suspects are kept; 0 means never.
func (s state) updated(u naming.Update, now time.Time, hold time.Duration) state {
	known := merged(s.listed, s.suspects())
	listed := stable(known, sorted(known, u.Snapshot.Instances))
	left := make(map[string]bool, len(u.Left))
	for _, a := range u.Left {
		left[a] = true
	}
	if hold == 0 {
		return state{listed: listed}
	}

	lapsed := 0
	gone := make([]missing, 0, len(s.missing))
	for _, m := range s.missing {
		if !left[m.inst.Addr] && !m.over(now) && !contains(listed, m.inst.Addr) {
			gone = append(gone, m)
		}
	}
	for _, i := range Diff(s.listed, listed).Removed {
		if !left[i.Addr] {
			gone = append(gone, missing{inst: i, at: now})
			lapsed++
		}
	}
	slices.SortFunc(gone, func(a, b missing) int { return strings.Compare(a.inst.Addr, b.inst.Addr) })

	// Only a lapse starts a suspicion: leaves that shorten the list have nothing to do with what lapsed before them.
	if lapsed > 0 {
		recent := 0
		for _, m := range gone {
			if now.Sub(m.at) < window {
				recent++
			}
		}
		if recent > len(listed) {
			for i, m := range gone {
				if now.Sub(m.at) < window && !m.suspect() {
					gone[i].until = now.Add(hold)
				}
			}
		}
	}
	return state{listed: listed, missing: gone}
}

// refused is the state after a suspect has accepted no connection.
func (s state) refused(i *naming.Instance) state {
	return s.without(func(m missing) bool { return m.inst == i })
}

// aged is the state without what is over at now.
func (s state) aged(now time.Time) state {
	return s.without(func(m missing) bool { return m.over(now) })
}

func (s state) without(drop func(missing) bool) state {
	if !slices.ContainsFunc(s.missing, drop) {
		return s
	}
	return state{listed: s.listed, missing: slices.DeleteFunc(slices.Clone(s.missing), drop)}
}

// suspects returns the instances that are kept though the registry does not list them.
func (s state) suspects() []*naming.Instance {
	var out []*naming.Instance
	for _, m := range s.missing {
		if m.suspect() {
			out = append(out, m.inst)
		}
	}
	return out
}

// wake returns when aged will next change something; zero for never.
func (s state) wake() time.Time {
	var first time.Time
	for _, m := range s.missing {
		end := m.until
		if !m.suspect() {
			end = m.at.Add(window)
		}
		if first.IsZero() || end.Before(first) {
			first = end
		}
	}
	return first
}

// merged returns listed and suspects as one list. Without suspects it is listed itself.
func merged(listed, suspects []*naming.Instance) []*naming.Instance {
	if len(suspects) == 0 {
		return listed
	}
	out := make([]*naming.Instance, 0, len(listed)+len(suspects))
	for len(suspects) > 0 {
		n, _ := search(listed, suspects[0].Addr)
		out = append(append(out, listed[:n]...), suspects[0])
		listed, suspects = listed[n:], suspects[1:]
	}
	return append(out, listed...)
}

// sorted returns in, or a sorted copy without nils and duplicates where a driver did not keep its promise. What in shares
// with the ends of known, which is sorted, is not looked at.
func sorted(known, in []*naming.Instance) []*naming.Instance {
	front, back := ends.Common(known, in)
	ok := true
	for i := max(front-1, 0); i < min(len(in)-back+1, len(in)); i++ {
		if in[i] == nil || i > 0 && (in[i-1] == nil || in[i-1].Addr >= in[i].Addr) {
			ok = false
			break
		}
	}
	if ok {
		return in
	}
	out := slices.DeleteFunc(slices.Clone(in), func(i *naming.Instance) bool { return i == nil })
	slices.SortStableFunc(out, func(a, b *naming.Instance) int { return strings.Compare(a.Addr, b.Addr) })
	return slices.CompactFunc(out, func(a, b *naming.Instance) bool { return a.Addr == b.Addr })
}

// stable returns next with the pointers of prev where the instances are equal. Both are sorted.
func stable(prev, next []*naming.Instance) []*naming.Instance {
	front, back := ends.Common(prev, next)
	prev = prev[front : len(prev)-back]
	out, copied := next, false
	for i, n := range next[front : len(next)-back] {
		for len(prev) > 0 && prev[0].Addr < n.Addr {
			prev = prev[1:]
		}
		if len(prev) > 0 && prev[0] != n && prev[0].Equal(n) {
			if !copied {
				out, copied = slices.Clone(next), true
			}
			out[front+i] = prev[0]
		}
	}
	return out
}

func search(list []*naming.Instance, addr string) (int, bool) {
	return slices.BinarySearchFunc(list, addr, func(i *naming.Instance, a string) int { return strings.Compare(i.Addr, a) })
}

func contains(list []*naming.Instance, addr string) bool {
	_, ok := search(list, addr)
	return ok
}
