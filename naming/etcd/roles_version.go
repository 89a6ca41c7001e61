package etcd

import (
	"strconv"
	"strings"
)

// WallVersions says which versions of etcd hold the wall between namespaces, for messages. Each call of etcd's API was tried
// on the first of each line, and on 3.7.3, with another namespace's user:
//
//   - 3.7.0 does not hold it: an open-ended watch that begins in the own namespace goes on into the next.
//   - 3.4.23 does not: a nested transaction reads and writes any key, such a watch reads any that follow, and any user may
//     list leases, read the keys on them, keep them alive, and compact the history.
const WallVersions = "3.7.1, 3.6.16 or 3.5.35, or a later release of one of these lines"

// WallHolds reports whether an etcd of that version, such as "3.7.3", holds the wall between namespaces. What has not been
// tried, but is newer than what was, counts as holding it; what is older does not.
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
	if n[0] != 3 {
		return n[0] > 3
	}
	first := 0 // the first release of the line that holds
	switch n[1] {
	case 0, 1, 2, 3, 4:
		return false
	case 5:
		first = 35
	case 6:
		first = 16
	case 7:
		first = 1
	}
	return n[2] > first || n[2] == first && !pre
}
