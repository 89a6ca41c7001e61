package report

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"

	"github.com/muster-go/muster/bench/internal/stat"
)

// cells are a measure's columns.
func (m *Measure) cells() []string {
	s := stat.Summarize(m.Values)
	c := []string{m.Case, m.Figure, m.Side, m.Unit.Format(s.P50), "", "", fmt.Sprint(s.N)}
	if s.N > 1 {
		c[4] = m.Unit.Format(s.P99)
		c[5] = m.Unit.Format(s.P10) + " … " + m.Unit.Format(s.P90)
	}
	return c
}

var measureHead = []string{"case", "figure", "side", "p50", "p99", "p10 … p90", "n"}

// cells are a ratio's columns.
func (x *Ratio) cells() []string {
	c := []string{x.Case, x.Figure, x.Of + " / " + x.To, x.By, factor(x.Value), "", x.Target, "", fmt.Sprint(x.N)}
	if !math.IsNaN(float64(x.Lo)) {
		c[5] = factor(x.Lo) + " … " + factor(x.Hi)
	}
	if x.Target != "" {
		if c[7] = "met"; !x.Met {
			c[7] = "not met"
		}
	}
	return c
}

var ratioHead = []string{"case", "figure", "ratio of", "by", "ratio", "95 % interval", "target", "", "n"}

func factor(n Number) string {
	if math.IsNaN(float64(n)) {
		return "?"
	}
	return trim(float64(n))
}

// Text writes a row for a terminal.
func (r *Row) Text(w io.Writer) {
	fmt.Fprintf(w, "\n%s: %s (%v)\n\n", r.Name, r.Title, r.Took.Round(100*time.Millisecond))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cells []string) {
		for _, c := range cells {
			fmt.Fprintf(t, "%s\t", c)
		}
		fmt.Fprintln(t)
	}
	line(measureHead)
	for _, m := range r.Measures {
		line(m.cells())
	}
	_ = t.Flush()
	if len(r.Ratios) > 0 {
		fmt.Fprintln(w)
		line(ratioHead)
		for _, x := range r.Ratios {
			line(x.cells())
		}
		_ = t.Flush()
	}
	for _, g := range r.Goals {
		fmt.Fprintf(w, "\n%s, %s, %s, by %s: %s, target %s", g.Case, g.Figure, g.Side, g.By, g.Value, g.Target)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "\n* %s\n", n)
	}
}

// Summary says which targets are met.
func (r *Report) Summary(w io.Writer) {
	all, met := r.verdicts(), 0
	for _, v := range all {
		if v.met {
			met++
		}
	}
	fmt.Fprintf(w, "\n%d of %d targets met in %v\n", met, len(all), r.Took.Round(time.Second))
	for _, v := range all {
		if !v.met {
			fmt.Fprintf(w, "not met: %s, %s: %s, target %s\n", v.row, v.what, v.value, v.target)
		}
	}
	for _, f := range r.Failed {
		fmt.Fprintf(w, "failed: %s: %s\n", f.Name, f.Error)
	}
}
