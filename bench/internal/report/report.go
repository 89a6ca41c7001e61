// Package report holds what the bench has measured, and shows it: on a terminal, as JSON, and as a document with a chart.
package report

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/muster-go/muster/bench/internal/stat"
)

// Report is one run of the bench.
type Report struct {
	When    time.Time
	Took    time.Duration
	Machine string
	// Versions are those of what was measured.
	Versions []string
	// Full is false where the run was a smoke, or had a part of the rows.
	Full bool
	Rows []*Row
	// Failed are rows that ended with an error; the others are there all the same.
	Failed []Failure
}

// Failure is why there is no answer from a row.
type Failure struct{ Name, Error string }

// Row is what one question was answered with.
type Row struct {
	Name, Title string
	// What says what was measured, and how.
	What string
	// Peers says how each of the others was set up.
	Peers    []string
	Measures []*Measure
	Ratios   []*Ratio
	Goals    []Goal
	Notes    []string
	Took     time.Duration
}

// Goal is a target for a figure itself.
type Goal struct {
	Case, Figure, Side string
	// By says of what: p50, mean, or max where each repetition has to meet it.
	By            string
	Value, Target string
	Met           bool
}

// Measure is one figure of one side in one case, repeated.
type Measure struct {
	Case, Figure, Side string
	Unit               Unit
	Values             []float64
}

// Ratio compares two measures.
type Ratio struct {
	Case, Figure string
	// Of is divided by To.
	Of, To string
	// By says of what: p50, p99, mean, or pairs for the median of the ratios of pairs.
	By string
	// N is how many repetitions of each it is made of at least.
	N int
	Estimate
	// Target is empty where there is none. Met says whether it is.
	Target string
	Met    bool
	// Chart is the label in the chart; empty leaves it out.
	Chart string
	// Limit is what the target asks for; NaN where there is none.
	Limit Number
	// More says that more is better, as of throughput.
	More bool
}

// Estimate is stat's, with what JSON can't say left out.
type Estimate struct{ Value, Lo, Hi Number }

// Number is NaN where there is none, which JSON calls null.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return fmt.Appendf(nil, "%g", float64(n)), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	v, err := strconv.ParseFloat(string(b), 64)
	*n = Number(v)
	return err
}

func estimate(e stat.Estimate) Estimate { return Estimate{Number(e.Value), Number(e.Lo), Number(e.Hi)} }

// Add notes values of a figure; those of the same case, figure and side come together.
func (r *Row) Add(c, figure, side string, u Unit, values ...float64) *Measure {
	m := r.find(c, figure, side)
	if m == nil {
		m = &Measure{Case: c, Figure: figure, Side: side, Unit: u}
		r.Measures = append(r.Measures, m)
	}
	m.Values = append(m.Values, values...)
	return m
}

// Values returns what was noted.
func (r *Row) Values(c, figure, side string) []float64 {
	if m := r.find(c, figure, side); m != nil {
		return m.Values
	}
	return nil
}

func (r *Row) find(c, figure, side string) *Measure {
	for _, m := range r.Measures {
		if m.Case == c && m.Figure == figure && m.Side == side {
			return m
		}
	}
	return nil
}

// Compare adds the ratio of two sides of a figure. by is p50, p99, mean or pairs.
func (r *Row) Compare(c, figure, of, to, by string) *Ratio {
	return r.compare(&Ratio{Case: c, Figure: figure, Of: of, To: to, By: by}, r.Values(c, figure, of), r.Values(c, figure, to))
}

// CompareCases adds the ratio of one side's medians in two cases.
func (r *Row) CompareCases(figure, side, of, to string) *Ratio {
	return r.compare(&Ratio{Case: of, Figure: figure, Of: side, To: side + ", " + to, By: "p50"}, r.Values(of, figure, side), r.Values(to, figure, side))
}

func (r *Row) compare(out *Ratio, a, b []float64) *Ratio {
	out.Limit, out.N = Number(math.NaN()), min(len(a), len(b))
	switch out.By {
	case "pairs":
		out.Estimate = estimate(stat.Paired(a, b))
	case "p99":
		out.Estimate = estimate(stat.Ratio(a, b, stat.P99))
	case "mean":
		out.Estimate = estimate(stat.Ratio(a, b, stat.Mean))
	default:
		out.Estimate = estimate(stat.Ratio(a, b, stat.Median))
	}
	r.Ratios = append(r.Ratios, out)
	return out
}

// AtMost sets the target.
func (x *Ratio) AtMost(limit float64) *Ratio {
	x.Target, x.Limit = "≤ "+trim(limit), Number(limit)
	x.Met = float64(x.Value) <= limit
	return x
}

// NoneBelow asks, where more is better, for the whole interval to be at least limit, and to reach up to 1: so many pairs
// that the interval is narrow are part of the target. Where there is no interval, the value stands for it.
func (x *Ratio) NoneBelow(limit float64) *Ratio {
	x.Limit, x.More = Number(limit), true
	x.Target = "interval reaches 1, and is ≥ " + trim(limit)
	lo, hi := float64(x.Lo), float64(x.Hi)
	if math.IsNaN(lo) {
		lo, hi = float64(x.Value), 1
	}
	x.Met = lo >= limit && hi >= 1
	return x
}

// Draw puts the ratio into the chart.
func (x *Ratio) Draw(label string) *Ratio {
	x.Chart = label
	return x
}

// AtMost sets a target for a figure's median (by p50), mean, or each of its repetitions (by max). A figure that was not
// measured does not meet it.
func (r *Row) AtMost(c, figure, side, by string, limit float64) {
	g := Goal{Case: c, Figure: figure, Side: side, By: by, Value: "not measured"}
	var u Unit
	if m := r.find(c, figure, side); m != nil {
		s := stat.Summarize(m.Values)
		v := map[string]float64{"p50": s.P50, "mean": s.Mean, "max": s.Max}[by]
		u, g.Value, g.Met = m.Unit, m.Unit.Format(v), v <= limit
	}
	g.Target = "≤ " + u.Format(limit)
	r.Goals = append(r.Goals, g)
}

// Note adds a remark.
func (r *Row) Note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// verdict is a target with what became of it.
type verdict struct {
	row, what, value, target string
	interval                 string
	met                      bool
}

// verdicts returns all targets.
func (r *Report) verdicts() (all []verdict) {
	for _, row := range r.Rows {
		for _, x := range row.Ratios {
			if x.Target != "" {
				c := x.cells()
				all = append(all, verdict{row.Name, x.Case + ", " + x.Figure + ": " + c[2] + ", by " + x.By, c[4], x.Target, c[5], x.Met})
			}
		}
		for _, g := range row.Goals {
			all = append(all, verdict{row.Name, g.Case + ", " + g.Figure + ": " + g.Side + ", by " + g.By, g.Value, g.Target, "", g.Met})
		}
	}
	return all
}
