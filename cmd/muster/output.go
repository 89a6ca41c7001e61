package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

// output is how a subcommand shows instances.
type output struct{ json bool }

func (o *output) flags(c *cobra.Command) {
	c.Flags().VarP(format{&o.json}, "output", "o", "table or json")
}

// format is the value of --output.
type format struct{ json *bool }

func (f format) Type() string { return "format" }

func (f format) String() string {
	if f.json != nil && *f.json {
		return "json"
	}
	return "table"
}

func (f format) Set(s string) error {
	if s != "table" && s != "json" {
		return fmt.Errorf("want table or json")
	}
	*f.json = s == "json"
	return nil
}

// row is one instance as it is shown. Its JSON is for scripts: fields are added, never changed.
type row struct {
	Namespace string            `json:"namespace"`
	Group     string            `json:"group"`
	Service   string            `json:"service"`
	Address   string            `json:"address"`
	ID        string            `json:"id,omitempty"`
	State     string            `json:"state,omitempty"`
	Listed    bool              `json:"listed"`
	Degraded  bool              `json:"degraded"`
	Weight    int               `json:"weight,omitempty"`
	Unfit     bool              `json:"unfit"`
	Probes    map[string]string `json:"probes,omitempty"`
	Failing   []string          `json:"failing,omitempty"`
	Since     time.Time         `json:"since,omitzero"`
	Version   string            `json:"version,omitempty"`
	Offline   *offline          `json:"offline,omitempty"`
}

type offline struct {
	By    string    `json:"by"`
	Until time.Time `json:"until,omitzero"`
}

func rowOf(ns naming.Namespace, m *etcd.FleetMember) row {
	r := row{
		Namespace: ns.Name(), Group: ns.Group(), Service: m.Service, Address: m.Addr, ID: m.ID,
		State: m.Status.State, Listed: m.Listed, Degraded: m.Listed && m.Degraded, Weight: m.Weight, Unfit: m.Status.Unfit,
		Probes: m.Status.Probes, Since: m.Status.Started, Version: m.Status.Version,
	}
	for _, name := range slices.Sorted(maps.Keys(m.Status.Probes)) {
		if w := health.Word(m.Status.Probes[name]); w != health.WordOK && w != health.WordDisabled {
			r.Failing = append(r.Failing, name)
		}
	}
	if m.Offline != nil {
		r.Offline = &offline{By: m.Offline.By, Until: m.Offline.Until}
	}
	return r
}

// columns are a row's cells, in the order of header.
func (r *row) columns() []string {
	listed := "no"
	switch {
	case r.Degraded:
		listed = "degraded"
	case r.Listed:
		listed = "yes"
	}
	since := ""
	if !r.Since.IsZero() {
		since = r.Since.Local().Format("2006-01-02 15:04:05")
	}
	cells := []string{
		r.Namespace + "/" + r.Group, r.Service, r.Address, r.State, listed, r.failing(), since, r.Version, r.ID, r.order(),
	}
	for i, c := range cells {
		if cells[i] = printable(c); c == "" {
			cells[i] = "-"
		}
	}
	return cells
}

const header = "NAMESPACE\tSERVICE\tINSTANCE\tSTATE\tLISTED\tFAILING\tSINCE\tVERSION\tID\tORDER"

// failing lists the probes that don't pass.
func (r *row) failing() string {
	all := make([]string, len(r.Failing))
	for i, name := range r.Failing {
		all[i] = name + "=" + r.Probes[name]
	}
	return strings.Join(all, ",")
}

// order is the operator's order in words.
func (r *row) order() string {
	switch {
	case r.Offline == nil:
		return ""
	case r.Offline.Until.IsZero():
		return "offline by " + r.Offline.By
	}
	return "offline by " + r.Offline.By + " until " + r.Offline.Until.Local().Format("2006-01-02 15:04:05")
}

// list writes all instances.
func (o *output) list(w io.Writer, ns naming.Namespace, f *etcd.Fleet) error {
	rows := make([]row, len(f.Members))
	for i := range f.Members {
		rows[i] = rowOf(ns, &f.Members[i])
	}
	if o.json {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Revision  int64 `json:"revision"`
			Instances []row `json:"instances"`
		}{f.Revision, rows})
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, header)
	for i := range rows {
		_, _ = fmt.Fprintln(t, strings.Join(rows[i].columns(), "\t"))
	}
	return t.Flush()
}

// printable keeps what others wrote into etcd from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
