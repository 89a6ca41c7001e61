package rig

import (
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Row is a scenario's line of the table.
type Row struct {
	Name, Fault, Promise string
	Restored             time.Duration
	// Excused are those of the failed calls that the promise allows; Unseen those of the stray ones that the caller could
	// not know of.
	Calls, Failed, Excused int
	Stray, Unseen          int
	Ghosts, Leases         int
	Goroutines             int
	Rate                   float64
	Took                   time.Duration
	Breaches               []string
	// Logs is the folder with what there is to read of a broken promise.
	Logs string
}

// Kept reports whether the promise was kept.
func (r Row) Kept() bool { return len(r.Breaches) == 0 }

// Table prints all rows.
func Table(w io.Writer, rows []Row) {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.Style().Options.SeparateRows = true
	t.AppendHeader(table.Row{
		"fault", "promise", "restored", "calls", "failed", "to one unfit or gone", "ghosts", "orphan leases", "goroutines", "took", "",
	})
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 1, WidthMax: 40, WidthMaxEnforcer: text.WrapSoft},
		{Number: 2, WidthMax: 44, WidthMaxEnforcer: text.WrapSoft},
		{Number: 5, WidthMax: 14, WidthMaxEnforcer: text.WrapSoft},
		{Number: 6, WidthMax: 14, WidthMaxEnforcer: text.WrapSoft},
	})
	for _, r := range rows {
		kept, failed, stray, restored := "kept", fmt.Sprint(r.Failed), fmt.Sprint(r.Stray), "-"
		if !r.Kept() {
			kept = "BROKEN"
		}
		if r.Excused > 0 {
			failed = fmt.Sprintf("%d, %d by the fault itself", r.Failed, r.Excused)
		}
		if r.Unseen > 0 {
			stray = fmt.Sprintf("%d, %d while cut off", r.Stray, r.Unseen)
		}
		if r.Restored > 0 {
			restored = r.Restored.Round(10 * time.Millisecond).String()
		}
		t.AppendRow(table.Row{
			r.Fault, r.Promise, restored, r.Calls, failed, stray, r.Ghosts, r.Leases, r.Goroutines, r.Took.Round(time.Second), kept,
		})
	}
	t.Render()
	for _, r := range rows {
		for _, b := range r.Breaches {
			fmt.Fprintf(w, "%s: %s\n", r.Name, b)
		}
		if r.Logs != "" {
			fmt.Fprintf(w, "%s: logs, calls and keys are in %s\n", r.Name, r.Logs)
		}
	}
}
