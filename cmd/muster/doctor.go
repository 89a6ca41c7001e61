package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

// doctorCommand is 'muster doctor'.
type doctorCommand struct {
	*app
	strict bool
	// examine is etcd.Examine, but in tests.
	examine func(context.Context, etcd.Config, []string) (*etcd.Examination, error)
}

func newDoctor(a *app) *cobra.Command {
	d := &doctorCommand{app: a, examine: etcd.Examine}
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what is wrong: configuration, etcd, credentials, namespace",
		Long: "Find out what is wrong. It shows the configuration and where each value comes from, which namespace would be entered\n" +
			"and why, whether etcd answers and which version it is, what the credentials may do and whether other namespaces are\n" +
			"walled off, and what is serving; then a verdict and the next step. It changes nothing.\n\n" +
			"Exit codes: 0 no fault; 1 a fault was found, or with --strict a warning; 2 the command line is wrong.",
		Args: cobra.NoArgs,
		RunE: does(func(ctx context.Context, _ []string) error { return d.run(ctx) }),
	}
	c.Flags().BoolVar(&d.strict, "strict", false, "a warning counts as a fault")
	return c
}

func (d *doctorCommand) run(ctx context.Context) error {
	if d.timeout <= 0 {
		return fail(exitUsage, "--timeout %v: want more than 0", d.timeout)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeout, fmt.Errorf("no answer within %v", d.timeout))
	defer cancel()
	f := d.look(ctx)
	all := judge(f)
	d.show(f, all)
	if n := all.count(fault); n > 0 {
		return &failure{exitFailed, fmt.Errorf("doctor: faults found: %d", n)}
	}
	if n := all.count(warning); n > 0 && d.strict {
		return &failure{exitFailed, fmt.Errorf("doctor: warnings found: %d", n)}
	}
	return nil
}

// facts are what the doctor has seen.
type facts struct {
	settings []muster.Setting
	cfg      muster.Config
	// env is what ParseEnv said; unconfirmed that it is no more than a confirmation that is missing.
	env         error
	unconfirmed bool
	// exam is nil where the configuration is too wrong to ask anybody.
	exam     *etcd.Examination
	examErr  error
	fleet    *etcd.Fleet
	fleetErr error
}

// look gathers the facts. It asks nothing about a namespace that may not be entered.
func (d *doctorCommand) look(ctx context.Context) facts {
	f := facts{settings: muster.Settings()}
	f.cfg, f.env = muster.ParseEnv()
	f.unconfirmed = onlyUnconfirmed(f.env)
	if f.env != nil && !f.unconfirmed {
		return f
	}
	cfg := f.cfg.Etcd
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.Namespace = f.cfg.Namespace
	if f.unconfirmed {
		cfg.Namespace = naming.Namespace{}
	}
	f.exam, f.examErr = d.examine(ctx, cfg, neighbours(f.cfg))
	if f.examErr != nil || f.exam.Err != nil || f.unconfirmed || !f.exam.Own.Read {
		return f
	}
	drv, err := etcd.New(cfg)
	if err != nil {
		f.fleetErr = err
		return f
	}
	defer func() { _ = drv.Close() }()
	f.fleet, f.fleetErr = drv.Fleet(ctx, "")
	return f
}

// onlyUnconfirmed reports whether nothing is wrong with the environment but the confirmation.
func onlyUnconfirmed(err error) bool {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	return len(all) == 1 && errors.Is(all[0], naming.ErrProtected)
}

// neighbours are the namespaces that the credentials should not reach: those with names that matter, and one that nobody has.
func neighbours(cfg muster.Config) []string {
	var names []string
	for _, name := range append(slices.Clone(cfg.Protection.Names), "dev", "staging", "test", "muster-doctor") {
		if _, err := naming.NewNamespace(name, ""); err == nil && name != cfg.Namespace.Name() && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// show writes the configuration, the findings by subject, and the verdict.
func (d *doctorCommand) show(f facts, all *findings) {
	d.printf("configuration\n")
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for _, s := range f.settings {
		from := "default"
		switch {
		case !s.Known:
			from = "environment, NOT KNOWN: it has no effect"
		case s.Set:
			from = "environment"
		case s.Value == "":
			continue
		}
		_, _ = fmt.Fprintf(t, "  %s\t%s\t%s\n", s.Name, flat(s.Value), from)
	}
	_ = t.Flush()
	d.printf("%s", table.String())
	subject := ""
	for _, x := range all.list {
		if x.subject != subject {
			subject = x.subject
			d.printf("%s\n", subject)
		}
		d.printf("  %-7s %s\n", x.level, flat(x.text))
	}
	verdict, next := all.verdict()
	d.printf("verdict: %s\n", verdict)
	for i, step := range next {
		if i == 0 {
			d.printf("next:    %s\n", flat(step))
		} else {
			d.printf("         %s\n", flat(step))
		}
	}
}

// flat keeps a text that may come from elsewhere on its line.
func flat(s string) string { return strings.Join(strings.Fields(s), " ") }
