package rig

import (
	"runtime"
	"time"
)

// Usage is what a process has used up to now.
type Usage struct {
	At time.Time
	// CPU is user and system time.
	CPU time.Duration
	// Bytes and Objects were allocated on the heap, Live bytes of them live after the last collection.
	Bytes, Objects, Live uint64
	Goroutines           int
}

// Use returns this process's usage. It is not to be called while something is timed.
func Use() (u Usage) {
	u.CPU = cpu()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.At, u.Bytes, u.Objects, u.Goroutines = time.Now(), m.TotalAlloc, m.Mallocs, runtime.NumGoroutine()
	return u
}

// Live returns the bytes on the heap after a collection.
func Live() uint64 {
	runtime.GC()
	runtime.GC() // what the first one only finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
