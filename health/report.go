package health

import (
	"slices"
	"time"
)

// Report is what a monitor knew at one moment. It is immutable and may be shared; don't modify its slices.
type Report struct {
	// Status sums the process up.
	Status Status
	// Ready says whether the process wants traffic: its status is ok or degraded.
	Ready bool
	// Fit says whether every enabled critical probe is ok; true where there is none. This is what a gate obeys.
	Fit bool
	// Started says whether the process has ever been fit since Start. It stays true.
	Started bool
	// Probes are sorted by name.
	Probes []ProbeReport
	// Registrations are sorted by service, then address.
	Registrations []Registration
	// Revision grows whenever a word, the status, fitness or a lifecycle changes, and at no other time: two reports of one
	// monitor with equal revisions differ in times, counts and details only.
	Revision uint64
}

// ProbeReport is what a monitor knows of one probe.
type ProbeReport struct {
	Name  string
	Level Level
	// Word is what is said outside, State where the probe stands inside.
	Word  Word
	State State
	// Since is when Word last changed.
	Since time.Time
	// LastRun is when the last run ended, or was given up; zero before the first.
	LastRun time.Time
	// Latency is what the last run took; a timeout takes Timeout.
	Latency time.Duration
	// Runs and Failures count all of them.
	Runs, Failures uint64
	// PassesInRow and FailuresInRow count the latest runs that ended alike; one of them is 0.
	PassesInRow, FailuresInRow uint64
	// Err is why the last run failed, or what it passed in spite of. It may hold anything that the check put into it: never
	// show it to a stranger. Class is what can be shown.
	Err   error
	Class Class

	// staleAt is when the word stops being worth anything, on the monitor's clock; 0 for never.
	staleAt time.Duration
}

// Probe returns the report of one probe, or nil.
func (r *Report) Probe(name string) *ProbeReport {
	i, ok := slices.BinarySearchFunc(r.Probes, name, func(p ProbeReport, name string) int {
		switch {
		case p.Name < name:
			return -1
		case p.Name > name:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &r.Probes[i]
}

// Registration is one registered instance and where it stands.
type Registration struct {
	Service, Addr, Namespace, Group string
	State                           Lifecycle
	// Since is when State last changed; filled in where it is zero.
	Since time.Time
	// Detail says why in words for a person. It must hold no secret.
	Detail string
}

// sameStanding reports whether a change from r to o is none that matters.
func (r *Registration) sameStanding(o *Registration) bool {
	return r.State == o.State && r.Service == o.Service && r.Addr == o.Addr && r.Namespace == o.Namespace && r.Group == o.Group
}

// matters reports whether a change from r to o is one that whoever observes has to hear of.
func (r *Report) matters(o *Report) bool {
	if r.Status != o.Status || r.Ready != o.Ready || r.Fit != o.Fit || r.Started != o.Started ||
		len(r.Probes) != len(o.Probes) || len(r.Registrations) != len(o.Registrations) {
		return true
	}
	for i := range r.Probes {
		if a, b := &r.Probes[i], &o.Probes[i]; a.Name != b.Name || a.Word != b.Word {
			return true
		}
	}
	for i := range r.Registrations {
		if !r.Registrations[i].sameStanding(&o.Registrations[i]) {
			return true
		}
	}
	return false
}
