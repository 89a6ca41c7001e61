//go:build race

package kitexext

const raceEnabled = true
