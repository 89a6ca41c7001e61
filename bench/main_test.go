package main

import (
	"errors"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rows"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestOneRowFails: the others are measured all the same, and the failure is told.
func TestOneRowFails(t *testing.T) {
	t.Parallel()
	var told []string
	all := measureAll([]rows.Row{{Name: "a"}, {Name: "b"}, {Name: "c"}}, func(r rows.Row) (*report.Row, error) {
		if r.Name == "b" {
			return nil, errors.New("no etcd")
		}
		return &report.Row{Name: r.Name}, nil
	}, func(row *report.Row) { told = append(told, row.Name) })
	if !slices.Equal(told, []string{"a", "c"}) || all[0].err != nil || all[1].err == nil || all[2].row == nil {
		t.Errorf("told of %v: %+v", told, all)
	}
}

// TestBeside: such a row runs while those do that it names, has ended before any other begins, and is in its place.
func TestBeside(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	ended := false // written before the row's end is waited for, read after
	all := measureAll([]rows.Row{{Name: "long", Beside: []string{"x", "y"}}, {Name: "x"}, {Name: "y"}, {Name: "z"}}, func(r rows.Row) (*report.Row, error) {
		switch r.Name {
		case "long":
			close(begun)
			<-release
			ended = true
		case "x":
			<-begun
		case "y":
			close(release)
		case "z":
			if !ended {
				return nil, errors.New("the long row still runs")
			}
		}
		return &report.Row{Name: r.Name}, nil
	}, func(*report.Row) {})
	for i, name := range []string{"long", "x", "y", "z"} {
		if all[i].name != name || all[i].err != nil {
			t.Errorf("%+v", all[i])
		}
	}
}

// TestNames: rows that run beside others name rows that there are, right behind them.
func TestNames(t *testing.T) {
	t.Parallel()
	all := rows.All()
	for i, r := range all {
		for j, name := range r.Beside {
			if k := i + 1 + j; k >= len(all) || all[k].Name != name {
				t.Errorf("%s runs beside %s, which is not right behind it", r.Name, name)
			}
		}
	}
}
