package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes, for scripts.
const (
	exitOK = iota
	exitFailed
	exitUsage
	exitNone
)

// app is what the subcommands share. Each has one file with one constructor, which takes it.
type app struct {
	out, err io.Writer
	// terminal says that a person looks at out.
	terminal bool
	connection
}

// commands are the constructors of the subcommands.
func commands() []func(*app) *cobra.Command {
	return []func(*app) *cobra.Command{newLs, newWatch, newOffline, newOnline, newRoles, newDoctor}
}

// run is the whole program but for the process around it.
func run(ctx context.Context, a *app, args []string) int {
	root := &cobra.Command{
		Use:   "muster",
		Short: "Show and steer what Muster has registered",
		Long: "Show and steer what Muster has registered.\n\nThe command reads the same MUSTER_* variables as the services do. A protected " +
			"namespace has to be\nconfirmed with MUSTER_CONFIRM_NAMESPACE here, too.\n\nExit codes: 0 done; 1 it did not work; " +
			"2 the command line or the environment is wrong (doctor\nreports a wrong environment with 1); 3 there is no such instance or service.",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetArgs(args)
	a.connection.flags(root.PersistentFlags())
	for _, c := range commands() {
		root.AddCommand(c(a))
	}
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	for line := range strings.Lines(printable(err.Error())) {
		_, _ = fmt.Fprintln(a.err, "muster:", strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "muster: "))
	}
	var f *failure
	if !errors.As(err, &f) { // it did not come from a subcommand, so cobra refused the command line
		_, _ = fmt.Fprintln(a.err, "See 'muster --help'.")
		return exitUsage
	}
	return f.code
}

// failure is an error of a subcommand, with the exit code that it means.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(code int, format string, args ...any) error {
	return &failure{code, fmt.Errorf(format, args...)}
}

// does makes a subcommand of a function; errors that carry no exit code mean exitFailed.
func does(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		err := f(c.Context(), args)
		var known *failure
		if err != nil && !errors.As(err, &known) {
			err = &failure{exitFailed, err}
		}
		return err
	}
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "(unknown)"
}

func isTerminal(f *os.File) bool {
	i, err := f.Stat()
	return err == nil && i.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
