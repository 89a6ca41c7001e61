package kitexext

import "maps"

// pushers are a balancer's, by Kitex's cache key. It is immutable.
type pushers struct {
	// only is the one of a balancer that has one: comparing a long key costs less than hashing it.
	only *pusher
	all  map[string]*pusher
}

func pushersOf(all map[string]*pusher) *pushers {
	ps := &pushers{all: all}
	if len(all) == 1 {
		for _, ps.only = range all {
		}
	}
	return ps
}

func (ps *pushers) get(key string) *pusher {
	if ps.only != nil && ps.only.key == key {
		return ps.only
	}
	return ps.all[key]
}

// with returns ps and p.
func (ps *pushers) with(p *pusher) *pushers {
	all := make(map[string]*pusher, len(ps.all)+1)
	maps.Copy(all, ps.all)
	all[p.key] = p
	return pushersOf(all)
}

// without returns ps without p.
func (ps *pushers) without(p *pusher) *pushers {
	all := maps.Clone(ps.all)
	if all[p.key] == p {
		delete(all, p.key)
	}
	return pushersOf(all)
}
