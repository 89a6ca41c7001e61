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

	steps    int
	about    string
	promises []promise
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

// stepf begins a chapter. about is its name in the summary.
func (s *screen) stepf(about, format string, a ...any) {
	s.steps++
	s.about = about
	at := fmt.Sprintf("%5.1fs", time.Since(s.began).Seconds())
	fmt.Fprintf(s.w, "\n%s  %s\n", s.paint(text.Faint, at), s.paint(text.Bold, fmt.Sprintf("%d. ", s.steps)+fmt.Sprintf(format, a...)))
}

// sayf adds a line to the chapter.
func (s *screen) sayf(format string, a ...any) {
	fmt.Fprintf(s.w, "          %s\n", fmt.Sprintf(format, a...))
}

// promise is one thing that Muster promises, and what came of it.
type promise struct {
	about, text, measured, bound string
	kept                         bool
}

// keep records a promise of the chapter, and shows how it came out.
func (s *screen) keep(kept bool, what, measured, bound string) {
	p := promise{about: s.about, text: what, measured: measured, bound: bound, kept: kept}
	s.promises = append(s.promises, p)
	mark := s.paint(text.FgGreen, "✓")
	if !kept {
		mark = s.paint(text.FgRed, "✗ BROKEN:")
	}
	fmt.Fprintf(s.w, "        %s %s: %s  %s\n", mark, what, s.paint(text.Bold, measured), s.paint(text.Faint, "(promised: "+bound+")"))
}

// within records a promise about how soon something happens.
func (s *screen) within(what string, took, bound time.Duration) {
	measured := short(took)
	if took < 0 {
		measured = "at once" // what happened in one process was seen there before the tour saw its cause
	}
	s.keep(took <= bound, what, measured, "≤ "+bound.String())
}

// lastCall records a promise about how long calls go on: until last, where it is not zero.
func (s *screen) lastCall(what string, since, last time.Time, bound time.Duration) {
	took := last.Sub(since)
	measured := short(took)
	if took <= 0 {
		measured = "none after"
	}
	s.keep(took <= bound, what, measured, "≤ "+bound.String())
}

// broken counts the promises that were not kept.
func (s *screen) broken() (n int) {
	for _, p := range s.promises {
		if !p.kept {
			n++
		}
	}
	return n
}

// summary shows all promises in a table, and how it went in one line.
func (s *screen) summary() {
	t := table.NewWriter()
	t.SetOutputMirror(s.w)
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	if s.color {
		t.SetRowPainter(func(row table.Row) text.Colors {
			if row[4] != "yes" {
				return text.Colors{text.FgRed}
			}
			return nil
		})
	}
	t.AppendHeader(table.Row{"", "promise", "measured", "promised", "kept"})
	for i, p := range s.promises {
		if i > 0 && p.about != s.promises[i-1].about {
			t.AppendSeparator()
		}
		kept := "yes"
		if !p.kept {
			kept = "NO"
		}
		t.AppendRow(table.Row{p.about, p.text, p.measured, p.bound, kept})
	}
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 1, AutoMerge: true}, {Number: 3, Align: text.AlignRight}})
	fmt.Fprintln(s.w)
	t.Render()

	took := time.Since(s.began).Round(100 * time.Millisecond)
	if n := s.broken(); n > 0 {
		fmt.Fprintf(s.w, "%s in %v\n", s.paint(text.FgRed, fmt.Sprintf("%d of %d promises broken", n, len(s.promises))), took)
		return
	}
	fmt.Fprintf(s.w, "%s in %v\n", s.paint(text.FgGreen, fmt.Sprintf("All %d promises kept", len(s.promises))), took)
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
