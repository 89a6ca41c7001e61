package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

// pause joins what one change makes of several keys into one line.
const pause = 30 * time.Millisecond

func newWatch(a *app) *cobra.Command {
	var o output
	c := &cobra.Command{
		Use:   "watch [service]",
		Short: "Follow the instances of a service, or of all, live",
		Long: "Follow the instances of a service, or of all, live, until Ctrl-C. On a terminal the table of 'muster ls' is drawn anew\n" +
			"at each change; elsewhere, and with -o json, there is a line for each instance that changes. While etcd is away what\n" +
			"is known stays, and standard error says so.",
		Args: cobra.MaximumNArgs(1),
		RunE: does(func(ctx context.Context, args []string) error {
			service := ""
			if len(args) > 0 {
				service = args[0]
			}
			if err := naming.CheckService(service); err != nil && len(args) > 0 {
				return &failure{exitUsage, err}
			}
			d, ns, err := a.open(slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn})))
			if err != nil {
				return err
			}
			defer func() { _ = d.Close() }()
			return a.watch(ctx, d, ns, service, o)
		}),
	}
	o.flags(c)
	return c
}

// watch shows changes until ctx ends, which is no error.
func (a *app) watch(ctx context.Context, d *etcd.Driver, ns naming.Namespace, service string, o output) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	latest := make(chan *etcd.Fleet, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- d.WatchFleet(ctx, service, func(f *etcd.Fleet) {
			select { // the latest wins
			case <-latest:
			default:
			}
			latest <- f
		})
	}()
	show := a.lines(ns, o)
	if a.terminal && !o.json {
		show = a.screen(ns, o)
	}
	for {
		select {
		case f := <-latest:
			t := time.NewTimer(pause)
			for settled := false; !settled; {
				select {
				case f = <-latest:
				case <-t.C:
					settled = true
				case <-ctx.Done():
					settled = true
				}
			}
			t.Stop()
			if err := show(f); err != nil {
				cancel(err)
			}
		case err := <-ended:
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		}
	}
}

// screen draws the whole table anew, in one write.
func (a *app) screen(ns naming.Namespace, o output) func(*etcd.Fleet) error {
	const clear = "\x1b[H\x1b[2J"
	return func(f *etcd.Fleet) error {
		var b bytes.Buffer
		b.WriteString(clear)
		if err := o.list(&b, ns, f); err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n%d instances at revision %d, %s; Ctrl-C ends\n", len(f.Members), f.Revision, time.Now().Format("15:04:05.000"))
		_, err := a.out.Write(b.Bytes())
		return err
	}
}

// change is one line of the stream in JSON.
type change struct {
	Time     time.Time `json:"time"`
	Revision int64     `json:"revision"`
	// Change is there (at the beginning), joined, changed or gone.
	Change string `json:"change"`
	row
}

// lines writes a line for each instance that differs from what was shown before.
func (a *app) lines(ns naming.Namespace, o output) func(*etcd.Fleet) error {
	known := map[string]string{} // by instance, how it was shown
	last := map[string]row{}
	word := "there"
	return func(f *etcd.Fleet) error {
		seen := map[string]bool{}
		for i := range f.Members {
			r := rowOf(ns, &f.Members[i])
			key := r.Service + "/" + r.Address
			seen[key] = true
			now := strings.Join(r.columns(), " ")
			if known[key] == now {
				continue
			}
			w := word
			if _, had := known[key]; had {
				w = "changed"
			}
			known[key], last[key] = now, r
			if err := a.line(f, w, r, o); err != nil {
				return err
			}
		}
		for key, r := range last {
			if !seen[key] {
				delete(known, key)
				delete(last, key)
				r.Listed, r.Degraded = false, false
				if err := a.line(f, "gone", r, o); err != nil {
					return err
				}
			}
		}
		word = "joined"
		return nil
	}
}

func (a *app) line(f *etcd.Fleet, word string, r row, o output) error {
	now := time.Now()
	if o.json {
		return json.NewEncoder(a.out).Encode(change{Time: now, Revision: f.Revision, Change: word, row: r})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %s", now.Format("2006-01-02T15:04:05.000Z07:00"), word, r.Service, r.Address)
	if word != "gone" {
		c := r.columns()
		fmt.Fprintf(&b, " state=%s listed=%s failing=%s", c[3], c[4], c[5])
		if r.Offline != nil {
			fmt.Fprintf(&b, " order=%q", r.order())
		}
	}
	_, err := fmt.Fprintln(a.out, printable(b.String()))
	return err
}
