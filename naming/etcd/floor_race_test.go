//go:build race

package etcd

// raced: the race detector makes a search ten times slower, and has nothing to find in one goroutine.
const raced = true
