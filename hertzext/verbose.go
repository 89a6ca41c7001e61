package hertzext

import (
	"time"

	"github.com/muster-go/muster/health"
)

// full is the encoded full report. Runs that end as before change it, too, so it is keyed by the report itself.
type full struct {
	report  *health.Report
	answers *answers
}

// verbose returns the full answers for a report, encoding them if it is new.
func (h *handler) verbose(r *health.Report) *answers {
	if f := h.full.Load(); f != nil && f.report == r {
		return f.answers
	}
	f := &full{report: r, answers: h.encodeFull(r)}
	h.full.Store(f)
	return f.answers
}

type fullReport struct {
	Status        string               `json:"status"`
	Ready         bool                 `json:"ready"`
	Fit           bool                 `json:"fit"`
	Started       bool                 `json:"started"`
	Registrations []fullRegistration   `json:"registrations"`
	Probes        map[string]fullProbe `json:"probes"`
}

type fullRegistration struct {
	Service   string `json:"service"`
	Addr      string `json:"addr"`
	Namespace string `json:"namespace"`
	Group     string `json:"group"`
	State     string `json:"state"`
	Since     string `json:"since"`
	Detail    string `json:"detail,omitempty"`
}

type fullProbe struct {
	Level         string  `json:"level"`
	Status        string  `json:"status"`
	State         string  `json:"state"`
	Since         string  `json:"since"`
	LastRun       string  `json:"last_run,omitempty"`
	LatencyMS     float64 `json:"latency_ms"`
	Runs          uint64  `json:"runs"`
	Failures      uint64  `json:"failures"`
	PassesInRow   uint64  `json:"passes_in_row"`
	FailuresInRow uint64  `json:"failures_in_row"`
	Error         string  `json:"error,omitempty"`
}

func (h *handler) encodeFull(r *health.Report) *answers {
	f := fullReport{
		Status:        r.Status.String(),
		Ready:         r.Ready,
		Fit:           r.Fit,
		Started:       r.Started,
		Registrations: make([]fullRegistration, len(r.Registrations)),
		Probes:        make(map[string]fullProbe, len(r.Probes)),
	}
	for i, g := range r.Registrations {
		f.Registrations[i] = fullRegistration{
			Service: g.Service, Addr: g.Addr, Namespace: g.Namespace, Group: g.Group,
			State: g.State.String(), Since: stamp(g.Since), Detail: g.Detail,
		}
	}
	a := &answers{revision: r.Revision, probes: make(map[string]*answer, len(r.Probes))}
	for i := range r.Probes {
		p := &r.Probes[i]
		f.Probes[p.Name] = h.fullProbe(p)
		a.probes[p.Name] = probeAnswer(p.Word, map[string]fullProbe{p.Name: f.Probes[p.Name]})
	}
	a.all = answer{code: code(r.Ready), status: []byte(f.Status), body: encode(f)}
	a.ready = a.all
	return a
}

func (h *handler) fullProbe(p *health.ProbeReport) fullProbe {
	return fullProbe{
		Level: p.Level.String(), Status: string(p.Word), State: p.State.String(),
		Since: stamp(p.Since), LastRun: stamp(p.LastRun),
		LatencyMS: float64(p.Latency.Microseconds()) / 1000,
		Runs:      p.Runs, Failures: p.Failures, PassesInRow: p.PassesInRow, FailuresInRow: p.FailuresInRow,
		Error: h.describe(p),
	}
}

// describe returns what may be shown of the probe's error.
func (h *handler) describe(p *health.ProbeReport) (text string) {
	if h.redact == nil || p.Err == nil {
		return string(p.Class)
	}
	defer func() {
		if recover() != nil {
			text = string(p.Class)
		}
	}()
	return h.redact(p.Name, p.Err)
}

// stamp formats a time in UTC to the millisecond, and the zero time as nothing.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
