package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

//go:embed document.md.tmpl
var documentText string

// notesText is written by hand: what no measurement can say.
//
//go:embed notes.md
var notesText string

// WriteJSON writes every repetition; to "-" is the standard output.
func (r *Report) WriteJSON(to string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if to == "-" {
		_, err = os.Stdout.Write(b)
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

// WriteDocument writes the document to a file, and its chart beside it.
func (r *Report) WriteDocument(to string) error {
	chart := strings.TrimSuffix(filepath.Base(to), filepath.Ext(to)) + ".svg"
	doc, err := r.document(chart)
	if err != nil {
		return err
	}
	svg, err := r.Chart()
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, doc, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(filepath.Dir(to), chart), svg, 0o644)
}

func (r *Report) document(chart string) ([]byte, error) {
	t, err := template.New("document").Funcs(template.FuncMap{
		"table": table,
		"measures": func(row *Row) string {
			lines := [][]string{measureHead}
			for _, m := range row.Measures {
				lines = append(lines, m.cells())
			}
			return table(lines, 3)
		},
		"ratios": func(row *Row) string {
			lines := [][]string{ratioHead}
			for _, x := range row.Ratios {
				lines = append(lines, x.cells())
			}
			return table(lines, 4)
		},
		"targets": r.targets,
		"notes":   func() string { return notesText },
		"behind":  r.behind,
		"round":   func(d time.Duration) time.Duration { return d.Round(time.Second) },
		"day":     func(t time.Time) string { return t.Format(time.DateOnly) },
	}).Parse(documentText)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	if err := t.Execute(&b, struct {
		*Report
		Chart string
	}{r, chart}); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}

// table writes lines as Markdown; the first is the head. Columns from number on are set to the right.
func table(lines [][]string, number int) string {
	var b strings.Builder
	for i, cells := range lines {
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
		if i > 0 {
			continue
		}
		b.WriteString("|")
		for c := range cells {
			if c < number {
				b.WriteString("---|")
			} else {
				b.WriteString("--:|")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// targets is the table of all of them.
func (r *Report) targets() string {
	lines := [][]string{{"row", "what", "figure", "95 % interval", "target", ""}}
	for _, v := range r.verdicts() {
		met := "met"
		if !v.met {
			met = "**not met**"
		}
		lines = append(lines, []string{v.row, v.what, v.value, v.interval, v.target, met})
	}
	if len(lines) == 1 {
		return "None of the rows of this run has a target.\n"
	}
	return table(lines, 2)
}

// behind lists where Muster is not ahead: the whole interval, or the value where there is none, is above 1.
func (r *Report) behind() string {
	var b strings.Builder
	for _, row := range r.Rows {
		for _, x := range row.Ratios {
			if x.worse() && strings.HasPrefix(x.Of, "Muster") {
				fmt.Fprintf(&b, "* %s, %s, %s: %s times %s, by %s\n", row.Name, x.Case, x.Figure, factor(x.Value), x.To, x.By)
			}
		}
	}
	if b.Len() == 0 {
		return "Nowhere in this run.\n"
	}
	return b.String()
}

// worse reports whether the whole interval, or the value where there is none, is on the wrong side of 1.
func (x *Ratio) worse() bool {
	near := x.Lo
	if x.More {
		near = x.Hi
	}
	if math.IsNaN(float64(near)) {
		near = x.Value
	}
	return near != 1 && near > 1 != x.More
}
