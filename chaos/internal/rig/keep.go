package rig

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// keep writes down what a broken promise has to be read with, in a folder that stays: the log of each process, every call
// and where it was sent, and what the observer saw of each serving key. It returns the folder.
func (w *World) keep() (string, error) {
	dir, err := os.MkdirTemp("", "muster-chaos-"+w.Scenario.Name+"-")
	if err != nil {
		return "", err
	}
	for _, p := range w.processes() {
		text := strings.Join(p.log(), "\n") + "\n"
		for _, s := range p.stalls() {
			text = s.String() + "\n" + text
		}
		if err := os.WriteFile(filepath.Join(dir, p.Name+".log"), []byte(text), 0o600); err != nil {
			return dir, err
		}
	}
	if err := w.keepCalls(filepath.Join(dir, "calls.txt")); err != nil {
		return dir, err
	}
	return dir, w.Observer.keep(filepath.Join(dir, "keys.txt"))
}

const clock = "15:04:05.000"

func (w *World) keepCalls(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	out := bufio.NewWriter(f)
	for _, c := range w.Ledger.Since(0) {
		fmt.Fprintf(out, "%s %s took %v, sent to", c.Began.Format(clock), c.Service, c.Took)
		for _, p := range c.Picks {
			fmt.Fprintf(out, " %s after %v", p.Addr, p.At.Sub(c.Began))
		}
		if c.Err != "" {
			fmt.Fprintf(out, ": FAILED: %s", c.Err)
		}
		fmt.Fprintln(out)
	}
	return out.Flush()
}

// keep writes down all sightings, by key.
func (o *Observer) keep(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	out := bufio.NewWriter(f)
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, all := range o.seen {
		fmt.Fprintln(out, key)
		for _, s := range all {
			fmt.Fprintf(out, "  %s %s\n", s.at.Format(clock), s.what())
		}
	}
	return out.Flush()
}

func (s sighting) what() string {
	switch {
	case s.listed:
		return "listed"
	case s.leaving:
		return "marked as leaving"
	case s.withdrawn:
		return "withdrawn without a mark"
	case s.told:
		return "the process is asked to end"
	case s.unknown:
		return "etcd's data are others from here on"
	}
	return "gone"
}

// log returns what is kept of the process's log.
func (p *Process) log() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// keepBroken keeps what there is to read where a promise was broken, and says where.
func (w *World) keepBroken() {
	if w.row.Kept() || w.Observer == nil {
		return
	}
	dir, err := w.keep()
	if err != nil {
		w.Say("what there was to read could not be kept: %v", err)
		return
	}
	w.row.Logs = dir
	w.Say("logs, calls and keys are in %s", dir)
}
