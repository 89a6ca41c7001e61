package catalog

import "github.com/muster-go/muster/naming"

// Delta is the difference of two views. An instance whose weight, tags, network, id or degradation changed is in Updated,
// as it is now.
type Delta struct {
	Added, Updated, Removed []*naming.Instance
}

// Empty reports whether nothing changed.
func (d Delta) Empty() bool { return len(d.Added)+len(d.Updated)+len(d.Removed) == 0 }

// Diff returns what changed from prev to next, which must be sorted by Addr without duplicates, as those of a View are. It
// is a merge: instances of one pointer cost a comparison of two words. It allocates nothing where nothing changed.
func Diff(prev, next []*naming.Instance) Delta {
	var d Delta
	for len(prev) > 0 && len(next) > 0 {
		p, n := prev[0], next[0]
		switch {
		case p == n:
			prev, next = prev[1:], next[1:]
		case p.Addr == n.Addr:
			if !p.Equal(n) {
				d.Updated = append(d.Updated, n)
			}
			prev, next = prev[1:], next[1:]
		case p.Addr < n.Addr:
			d.Removed = append(d.Removed, p)
			prev = prev[1:]
		default:
			d.Added = append(d.Added, n)
			next = next[1:]
		}
	}
	d.Removed = append(d.Removed, prev...)
	d.Added = append(d.Added, next...)
	return d
}
