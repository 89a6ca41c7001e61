package gate

import (
	"maps"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
)

// annotatePause is the least time between two writes of the roster's entry that only tell which probes fail.
const annotatePause = time.Second

// status is the roster's entry as it was last written.
type status struct {
	last naming.Status
	at   time.Time
	owed bool // the entry is out of date, and too young to be written again
}

// wrote takes in that a request with a status was answered.
func (o *owner) wrote(e event, st naming.Status, err error) (event, error) {
	if err != nil {
		return evFailed, err
	}
	o.written = status{last: st, at: time.Now()}
	return e, nil
}

// stale reports whether the entry has to be written again, now.
func (w *status) stale(now naming.Status, at time.Time) bool {
	w.owed = false
	switch {
	case now.Unfit != w.last.Unfit:
		return true // the floor counts on it
	case now.State == w.last.State && maps.Equal(now.Probes, w.last.Probes):
		return false
	}
	w.owed = at.Before(w.at.Add(annotatePause))
	return !w.owed
}

// next is when an entry that is owed may be written; zero for none.
func (w *status) next() time.Time {
	if !w.owed {
		return time.Time{}
	}
	return w.at.Add(annotatePause)
}

// status returns what the roster is to say of the instance in that lifecycle.
func (o *owner) status(l health.Lifecycle) naming.Status {
	st := naming.Status{
		State: l.String(), Started: o.r.started, Version: o.r.gate.o.Version, Probes: make(map[string]string, len(o.report.Probes)),
	}
	bad := false
	for i := range o.report.Probes {
		p := &o.report.Probes[i]
		st.Probes[p.Name] = string(p.Word)
		bad = bad || p.Level == health.Critical && !p.Word.Good() && p.Word != health.WordUnknown && p.Word != health.WordDisabled
	}
	// One that has just started is not counted against the floor before it has failed.
	st.Unfit = !o.report.Fit && (o.s.once || bad)
	return st
}
