package etcd

import (
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/authpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// namesake returns the key root and namespace below which a key is, with slashes, where these are others that make the same
// role's name: muster and dev-eu do, and so do muster-dev and eu.
func namesake(role, root, key string) string {
	otherRoot, rest, _ := strings.Cut(key, "/")
	ns, _, ok := strings.Cut(rest, "/")
	if !ok || otherRoot == root || RoleName(otherRoot, ns) != role {
		return ""
	}
	return otherRoot + "/" + ns + "/"
}

// reaches reports whether a role may do anything below the key root but outside of own.
func (has rolesState) reaches(root, role string, own keyRange) bool {
	return role == rootName || slices.ContainsFunc(has.roles[role], func(p *authpb.Permission) bool {
		return rangeOf(p).beyond(root, own)
	})
}

// keyRange is the keys from one to another, the latter not included; "\x00" as its end means all that follow.
type keyRange struct{ from, to string }

func ownRange(root, namespace string) keyRange {
	from := root + "/" + namespace + "/"
	return keyRange{from, clientv3.GetPrefixRangeEnd(from)}
}

func rangeOf(p *authpb.Permission) keyRange {
	r := keyRange{string(p.Key), string(p.RangeEnd)}
	if r.to == "" {
		r.to = r.from + "\x00"
	}
	return r
}

// beyond reports whether any key below the key root is in r and not in own.
func (r keyRange) beyond(root string, own keyRange) bool {
	begin := root + "/"
	end := clientv3.GetPrefixRangeEnd(begin)
	if r.from == "\x00" { // etcd's own way to write the first key
		r.from = ""
	}
	from, to := max(r.from, begin), r.to
	if to == "\x00" || to > end {
		to = end
	}
	return from < to && (from < own.from || to > own.to)
}
