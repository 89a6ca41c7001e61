package tour

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// screen is what a person watches.
type screen struct {
	w     io.Writer
	color bool
	began time.Time
	steps int
}

// newScreen uses colour on a terminal alone, and not where NO_COLOR asks for none (https://no-color.org).
func newScreen(f *os.File) *screen {
	color := os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
	return &screen{w: f, color: color, began: time.Now()}
}

func (s *screen) paint(c text.Color, v string) string {
	if !s.color {
		return v
	}
	return c.EscapeSeq() + v + text.Reset.EscapeSeq()
}

// step begins a chapter.
func (s *screen) step(format string, a ...any) {
	s.steps++
	at := fmt.Sprintf("%5.1fs", time.Since(s.began).Seconds())
	fmt.Fprintf(s.w, "\n%s  %s\n", s.paint(text.Faint, at), s.paint(text.Bold, fmt.Sprintf("%d. ", s.steps)+fmt.Sprintf(format, a...)))
}

// say adds a line to the chapter.
func (s *screen) say(format string, a ...any) {
	fmt.Fprintf(s.w, "        %s\n", fmt.Sprintf(format, a...))
}

// promise shows how a promise came out.
func (s *screen) promise(p promise) {
	mark := s.paint(text.FgGreen, "kept  ")
	if !p.kept {
		mark = s.paint(text.FgRed, "BROKEN")
	}
	fmt.Fprintf(s.w, "        %s  %s: %s %s\n", mark, p.text, s.paint(text.Bold, p.measured), s.paint(text.Faint, "(promised: "+p.bound+")"))
}

// promise is one thing that Muster promises, and what came of it.
type promise struct {
	text, measured, bound string
	kept                  bool
}

// summary shows all promises in a table.
func (s *screen) summary(ps []promise) {
	t := table.NewWriter()
	t.SetOutputMirror(s.w)
	t.SetStyle(table.StyleLight)
	if s.color {
		t.SetRowPainter(func(row table.Row) text.Colors {
			if row[3] != "yes" {
				return text.Colors{text.FgRed}
			}
			return nil
		})
	}
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"What Muster promises", "measured", "promised", "kept"})
	for _, p := range ps {
		kept := "yes"
		if !p.kept {
			kept = "NO"
		}
		t.AppendRow(table.Row{p.text, p.measured, p.bound, kept})
	}
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}})
	fmt.Fprintln(s.w)
	t.Render()
}

// short rounds a duration to what a person wants to read.
func short(d time.Duration) string {
	switch abs := d.Abs(); {
	case abs >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case abs >= 100*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
}
