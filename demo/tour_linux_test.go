package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInterruptedTour: Ctrl-C in the middle ends the tour with exit code 130, and takes along every process and file of it.
func TestInterruptedTour(t *testing.T) {
	for _, c := range []struct {
		name, moment string
		args         []string
	}{
		{"while the first step starts everything", "1. ", []string{"-stay"}},
		{"after the first step", "2. ", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.moment != "1. " {
				t.Skip("short")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			run, dir := asProgram+"="+rand.Text(), t.TempDir()
			cmd := exec.CommandContext(ctx, os.Args[0], c.args...)
			cmd.Env = append(os.Environ(), run, "TMPDIR="+dir)
			cmd.Stderr = t.Output()
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			text := new(bytes.Buffer)
			screen := bufio.NewScanner(io.TeeReader(out, text))
			for reached := false; !reached && screen.Scan(); {
				reached = strings.Contains(screen.Text(), "s  "+c.moment)
			}
			if c.moment != "1. " && len(processes(t, run)) < 8 {
				t.Errorf("%d processes run, want the tour, etcd and six instances", len(processes(t, run)))
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
			for screen.Scan() { // to its end
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 130 {
				t.Errorf("exit code %d (%v), want 130", code, cmd.ProcessState)
			}
			if left := processes(t, run); len(left) > 0 {
				t.Errorf("still running: %q", left)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left in the temporary directory: %v, %v", left, err)
			}
			if t.Failed() {
				t.Logf("the tour's screen:\n%s", text)
			}
		})
	}
}

// processes returns the command lines of those that were started with a variable.
func processes(t *testing.T, variable string) (all []string) {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		env, err := os.ReadFile(path)
		if err != nil || !slices.Contains(strings.Split(string(env), "\x00"), variable) {
			continue // somebody else's, or gone by now
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		all = append(all, strings.ReplaceAll(string(line), "\x00", " "))
	}
	return all
}
