package rig

import (
	"fmt"
	"time"
)

// stall is a time in which a process did not run though it wanted to.
type stall struct {
	process  string
	from, to time.Time
}

func (s stall) String() string {
	return fmt.Sprintf("%s did not run for %d ms until %s", s.process, s.to.Sub(s.from).Milliseconds(), s.to.Format(clock))
}

// hit reports whether a call was under way meanwhile.
func (s stall) hit(c Call) bool { return c.Began.Before(s.to) && c.Ended().After(s.from) }

// stalls lists when the process did not run.
func (p *Process) stalls() (all []stall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if e.Event == "stalled" {
			to := time.UnixMicro(e.At)
			all = append(all, stall{p.Name, to.Add(-time.Duration(e.N) * time.Millisecond), to})
		}
	}
	return all
}
