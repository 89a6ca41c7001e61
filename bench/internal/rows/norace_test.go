//go:build !race

package rows

// raceEnabled says that sync.Pool throws away at random, so that allocations mean nothing.
const raceEnabled = false
