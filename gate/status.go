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
	switch {
	case now.Unfit != w.last.Unfit:
		return true // the floor counts on it
	case now.State == w.last.State && maps.Equal(now.Probes, w.last.Probes):
		return false
	}
	return !at.Before(w.at.Add(annotatePause)) // an owner glances at it again
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
