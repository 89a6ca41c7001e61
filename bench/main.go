// Command bench measures Muster beside what else there is: raw etcd, unmodified registry-etcd, two health check libraries.
//
//	go run ./bench                          # every row, at most 8 minutes on 2 cores
//	go run ./bench latency rpc              # rows by name; -list shows them
//	go run ./bench -smoke                   # every step once, in seconds: the figures mean nothing
//	go run ./bench -json raw.json           # every repetition
//	go run ./bench -out docs/benchmarks.md  # the document, and its chart beside it
//
// Each row runs in a process of its own, so that what one leaves behind is not in the figures of the next.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/cloudwego/kitex/pkg/klog"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/bench/internal/rows"
	"github.com/muster-go/muster/internal/etcdtest"
)

func main() {
	klog.SetOutput(io.Discard) // registry-etcd says there that all is well
	etcdtest.Main()
	rig.ServeChild(rows.Children())
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	list := flag.Bool("list", false, "list the rows")
	jsonTo := flag.String("json", "", "write every repetition to this file; - is the standard output, without the table")
	out := flag.String("out", "", "write the document to this file, and its chart beside it")
	smoke := flag.Bool("smoke", false, "go through every step with next to no repetitions; the figures mean nothing")
	flag.Parse()
	if *list {
		for _, r := range rows.All() {
			fmt.Printf("%-12s%s\n", r.Name, r.Title)
		}
		return nil
	}
	selected, err := pick(flag.Args())
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	rep := report.New(len(flag.Args()) == 0 && !*smoke)
	began := time.Now()
	run := func(r rows.Row) (*report.Row, error) { return measure(ctx, r, *smoke) }
	for _, o := range measureAll(selected, run, func(row *report.Row) {
		if *jsonTo != "-" {
			row.Text(os.Stdout)
		}
	}) {
		if o.err != nil {
			rep.Failed = append(rep.Failed, report.Failure{Name: o.name, Error: o.err.Error()})
			continue
		}
		rep.Rows = append(rep.Rows, o.row)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	rep.Took = time.Since(began)
	if err := write(rep, *jsonTo, *out); err != nil {
		return err
	}
	if n := len(rep.Failed); n > 0 {
		return fmt.Errorf("%d of %d rows failed", n, len(selected))
	}
	return nil
}

// outcome is what became of one row.
type outcome struct {
	name string
	row  *report.Row
	err  error
}

// measureAll runs one row after another, whatever becomes of each, and tells of those that succeeded. A row that may run
// beside others does so, if these come right after it.
func measureAll(selected []rows.Row, run func(rows.Row) (*report.Row, error), tell func(*report.Row)) []outcome {
	all := make([]outcome, len(selected))
	done := func(i int, row *report.Row, err error) {
		all[i] = outcome{selected[i].Name, row, err}
		if err == nil {
			tell(row)
		}
	}
	var beside []string
	join := func() {}
	for i, r := range selected {
		if !slices.Contains(beside, r.Name) {
			join()
			beside, join = nil, func() {}
		}
		if len(r.Beside) == 0 {
			row, err := run(r)
			done(i, row, err)
			continue
		}
		ended := make(chan outcome, 1)
		go func() {
			row, err := run(r)
			ended <- outcome{r.Name, row, err}
		}()
		beside, join = r.Beside, func() { o := <-ended; done(i, o.row, o.err) }
	}
	join()
	return all
}

func pick(names []string) ([]rows.Row, error) {
	if len(names) == 0 {
		return rows.All(), nil
	}
	var picked []rows.Row
	for _, name := range names {
		found := false
		for _, r := range rows.All() {
			if r.Name == name {
				picked, found = append(picked, r), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no row %q; -list shows them (flags come before names)", name)
		}
	}
	return picked, nil
}

// measure runs a row in a process of its own.
func measure(ctx context.Context, r rows.Row, smoke bool) (*report.Row, error) {
	started := time.Now()
	g, err := rig.New()
	if err != nil {
		return nil, err
	}
	defer g.Close()
	child, err := g.Start(rows.RowChild)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, child.Abort)
	defer stop()
	row := new(report.Row)
	if err := child.Ask("run", rows.Order{Name: r.Name, Smoke: smoke}, row); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	row.Took = time.Since(started)
	return row, nil
}

func write(rep *report.Report, jsonTo, out string) error {
	rep.Summary(os.Stderr)
	if jsonTo != "" {
		if err := rep.WriteJSON(jsonTo); err != nil {
			return err
		}
	}
	if out != "" {
		return rep.WriteDocument(out)
	}
	return nil
}
