package report

import (
	_ "embed"
	"math"
	"strconv"
	"strings"
	"text/template"
	"unicode/utf8"
)

//go:embed chart.svg.tmpl
var chartText string

// The chart's measures, in pixels.
const (
	plotWidth   = 520
	valueWidth  = 100 // right of the plot
	letterWidth = 6.9 // about, of a label
	lineHeight  = 26
	chartTop    = 66
)

type chartPoint struct {
	Y                 float64
	Label, Value      string
	X, Lo, Hi, Target float64
	Interval, HasGoal bool
	Colour            string
}

type chartTick struct {
	X     float64
	Label string
	One   bool
}

// Chart draws the ratios that have a label, as dots on a logarithmic axis.
func (r *Report) Chart() ([]byte, error) {
	var drawn []*Ratio
	low, high := 0.5, 2.0
	for _, row := range r.Rows {
		for _, x := range row.Ratios {
			v := float64(x.Value)
			if x.Chart == "" || math.IsNaN(v) || v < 0 || math.IsInf(v, 0) {
				continue
			}
			drawn = append(drawn, x)
			if high = max(high, v); v > 0 { // nothing at all is drawn at the left end
				low = min(low, v)
			}
			if hi := float64(x.Hi); !math.IsNaN(hi) {
				high = max(high, hi)
			}
		}
	}
	longest := 40
	for _, x := range drawn {
		longest = max(longest, utf8.RuneCountInString(x.label()))
	}
	left := 30 + letterWidth*float64(longest)
	from, to := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	at := func(v float64) float64 {
		return left + (math.Log10(max(v, math.Pow(10, from)))-from)/(to-from)*plotWidth
	}
	data := struct {
		Width, Height, Bottom, Left, Right float64
		Ticks                              []chartTick
		Points                             []chartPoint
	}{Width: left + plotWidth + valueWidth, Left: left, Right: left + plotWidth}
	for e := from; e <= to; e++ {
		data.Ticks = append(data.Ticks, chartTick{at(math.Pow(10, e)), trim(math.Pow(10, e)), e == 0})
	}
	for i, x := range drawn {
		p := chartPoint{
			Y: chartTop + float64(i)*lineHeight + lineHeight/2, Label: x.label(), Value: factor(x.Value), X: at(float64(x.Value)), Colour: "#2f7d4f",
		}
		if x.Value > 1 != x.More {
			p.Colour = "#b3541e"
		}
		if !math.IsNaN(float64(x.Lo)) {
			p.Lo, p.Hi, p.Interval = at(float64(x.Lo)), at(float64(x.Hi)), true
		}
		if !math.IsNaN(float64(x.Limit)) {
			p.Target, p.HasGoal = at(float64(x.Limit)), true
		}
		data.Points = append(data.Points, p)
	}
	data.Bottom = chartTop + float64(len(drawn))*lineHeight
	data.Height = data.Bottom + 46
	t, err := template.New("chart").Funcs(template.FuncMap{
		"text": escape,
		"plus": func(a, b float64) float64 { return a + b },
		"px":   func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) },
	}).Parse(chartText)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}

// label says where a single repetition is behind a dot.
func (x *Ratio) label() string {
	if x.N == 1 {
		return x.Chart + " (n = 1)"
	}
	return x.Chart
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
