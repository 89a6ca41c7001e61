package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

func sample() *Report {
	row := &Row{Name: "latency", Title: "Latency", What: "what < that", Peers: []string{"as documented"}}
	for i := range 10 {
		row.Add("1 upstream", "pick", "Muster", Nanoseconds, 1000+float64(i))
		row.Add("1 upstream", "pick", "bare etcd", Nanoseconds, 500+float64(i))
	}
	row.Add("1 upstream", "pick", "registry-etcd", Nanoseconds, 2e9)
	row.Compare("1 upstream", "pick", "Muster", "bare etcd", "p50").AtMost(1.3).Draw("pick & <go>")
	row.Compare("1 upstream", "pick", "Muster", "registry-etcd", "p50").AtMost(1).Draw("pick, beside registry-etcd")
	row.Compare("1 upstream", "pick", "Muster", "nobody", "p50")
	return &Report{When: time.Unix(0, 0), Machine: "a machine", Rows: []*Row{row}}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Rows[0].AtMost("1 upstream", "pick", "Muster", "p50", 2000)
	if v := r.verdicts(); len(v) != 3 || v[0].met || !v[1].met || !v[2].met {
		t.Errorf("verdicts %+v", v)
	}
	x := r.Rows[0].Ratios[0]
	if math.Abs(float64(x.Value)-2) > 0.02 || x.Lo > x.Value || x.Hi < x.Value {
		t.Errorf("%+v", x.Estimate)
	}
}

// TestTargets: the whole interval counts, and so does the worst repetition; what was not measured meets nothing.
func TestTargets(t *testing.T) {
	t.Parallel()
	row := &Row{Name: "rpc"}
	for i := range 10 {
		row.Add("", "calls", "even", PerSecond, 100+float64(i%2))
		row.Add("", "calls", "wide", PerSecond, 90+float64(i%2)*20)
		row.Add("", "calls", "slow", PerSecond, 98)
		row.Add("", "calls", "base", PerSecond, 100)
	}
	for side, want := range map[string]bool{"even": true, "wide": false, "slow": false} {
		if x := row.Compare("", "calls", side, "base", "pairs").NoneBelow(0.97); x.Met != want {
			t.Errorf("%s: met %v: %+v", side, x.Met, x.Estimate)
		}
	}
	row.Add("", "time", "Muster", Nanoseconds, 1, 1, 10)
	for _, by := range []string{"p50", "mean", "max"} {
		row.AtMost("", "time", "Muster", by, 4)
	}
	row.AtMost("", "time", "nobody", "p50", 4)
	for i, want := range []bool{true, true, false, false} {
		if g := row.Goals[i]; g.Met != want {
			t.Errorf("%+v", g)
		}
	}
}

// TestJSON has a report with figures that JSON has no words for go there and back.
func TestJSON(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if x := back.Rows[0].Ratios[1]; !math.IsNaN(float64(x.Lo)) || float64(x.Value) != 1004.5/2e9 {
		t.Errorf("%+v", x.Estimate)
	}
}

func TestChartIsXML(t *testing.T) {
	t.Parallel()
	for _, r := range []*Report{sample(), {}} {
		svg, err := r.Chart()
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Rows) > 0 && !strings.Contains(string(svg), "beside registry-etcd (n = 1)") {
			t.Error("a single repetition looks like any other")
		}
		if strings.Contains(string(svg), "NaN") {
			t.Error("something is drawn nowhere")
		}
		for d := xml.NewDecoder(strings.NewReader(string(svg))); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Failed = []Failure{{"rpc", "no etcd"}}
	doc, err := r.document("benchmarks.svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"(benchmarks.svg)", "not a full run", "**The row rpc failed**, and is missing below: no etcd", "### What the gains cost", "**not met**", "1.99 times bare etcd", "## Latency", "| 1 upstream | pick | Muster | 1 µs |",
	} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("%q is missing in\n%s", want, doc)
		}
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		u    Unit
		v    float64
		want string
	}{
		{Nanoseconds, 0, "0 ns"},
		{Nanoseconds, 239.4, "239 ns"},
		{Nanoseconds, 1500, "1.5 µs"},
		{Nanoseconds, 2.34e9, "2.34 s"},
		{Bytes, 2048, "2 KiB"},
		{Bytes, 20 << 20, "20 MiB"},
		{Count, 0.25, "0.25"},
		{PerSecond, 12345, "12345/s"},
		{Count, math.NaN(), ""},
	} {
		if got := tt.u.Format(tt.v); got != tt.want {
			t.Errorf("%v of %q is %q, want %q", tt.v, tt.u, got, tt.want)
		}
	}
}
