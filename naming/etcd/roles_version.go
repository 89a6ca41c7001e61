package etcd

import (
	"strconv"
	"strings"
)

// WallVersion is the first version of etcd whose access control walls namespaces off from each other. Before it an open-ended
// watch that begins in the own namespace goes on into the next; on 3.4 a nested transaction reads and writes anything, and
// any user may list leases, read the keys that are on them, and keep foreign leases alive.
const WallVersion = "3.7.1"

// WallHolds reports whether an etcd of that version, such as "3.7.3", holds the wall between namespaces.
func WallHolds(version string) bool {
	release, _, pre := strings.Cut(version, "-")
	parts := strings.Split(release, ".")
	if len(parts) != 3 {
		return false
	}
	var n [3]int
	for i, p := range parts {
		v, err := strconv.Atoi(p)
		if err != nil || v < 0 {
			return false
		}
		n[i] = v
	}
	switch {
	case n[0] != 3:
		return n[0] > 3
	case n[1] != 7:
		return n[1] > 7
	}
	return n[2] > 1 || n[2] == 1 && !pre
}
