package rig

import (
	"context"
	"hash/fnv"
	"slices"
	"sync"
	"time"
)

// RunAll runs scenarios beside each other, the long ones first and those that have to be alone last, and returns their rows in the order in which they were
// given. The seed of each is made of the suite's and of its name, so that one can be repeated alone.
func RunAll(ctx context.Context, all []Scenario, seed uint64, side int, out func(string, ...any)) []Row {
	var beside, alone []int
	for n, s := range all {
		if s.Alone {
			alone = append(alone, n)
		} else {
			beside = append(beside, n)
		}
	}
	slices.SortStableFunc(beside, func(a, b int) int {
		switch {
		case all[a].Long == all[b].Long:
			return 0
		case all[a].Long:
			return -1
		}
		return 1
	})
	var mu sync.Mutex
	serial := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		out(format, args...)
	}
	rows := make([]Row, len(all))
	do := func(n int, ports *ports) {
		s := all[n]
		if ctx.Err() != nil {
			rows[n] = Row{Name: s.Name, Fault: s.Fault, Promise: s.Promise, Breaches: []string{"not run: interrupted"}}
			return
		}
		h := fnv.New64a()
		_, _ = h.Write([]byte(s.Name))
		rows[n] = run(ctx, s, seed^h.Sum64(), ports, serial)
		word := "kept"
		if !rows[n].Kept() {
			word = "BROKEN"
		}
		serial("%s %-24s %6.1fs  %s: %d calls at %.0f/s, %d failed", time.Now().Format("15:04:05.0"), s.Name, rows[n].Took.Seconds(), word, rows[n].Calls,
			rows[n].Rate, rows[n].Failed)
	}
	next := make(chan int, len(beside))
	for _, n := range beside {
		next <- n
	}
	close(next)
	var wg sync.WaitGroup
	for slot := range min(side, maxSide) {
		wg.Go(func() {
			ports := newPorts(slot)
			for n := range next {
				do(n, ports)
			}
		})
	}
	wg.Wait()
	for _, n := range alone {
		do(n, newPorts(0))
	}
	return rows
}
