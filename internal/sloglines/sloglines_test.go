package sloglines

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"
)

// lines is a framework's logger that keeps what it gets.
type lines struct {
	mu  sync.Mutex
	got []string
	ctx context.Context //nolint:containedctx // it is what the test asks for
}

func (l *lines) add(ctx context.Context, level, format string, v []any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got, l.ctx = append(l.got, level+" "+fmt.Sprintf(format, v...)), ctx
}

func (l *lines) CtxTracef(ctx context.Context, f string, v ...any)  { l.add(ctx, "trace", f, v) }
func (l *lines) CtxDebugf(ctx context.Context, f string, v ...any)  { l.add(ctx, "debug", f, v) }
func (l *lines) CtxInfof(ctx context.Context, f string, v ...any)   { l.add(ctx, "info", f, v) }
func (l *lines) CtxNoticef(ctx context.Context, f string, v ...any) { l.add(ctx, "notice", f, v) }
func (l *lines) CtxWarnf(ctx context.Context, f string, v ...any)   { l.add(ctx, "warn", f, v) }
func (l *lines) CtxErrorf(ctx context.Context, f string, v ...any)  { l.add(ctx, "error", f, v) }

func (l *lines) handler() slog.Handler { return New(func() Logger { return l }) }

func TestLines(t *testing.T) {
	t.Parallel()
	to := new(lines)
	log := slog.New(to.handler())
	log.Info("catalog: a view", "service", "user svc", "age", 90*time.Second, "err", errors.New("no route"), "level", "own", "msg", "own")
	log.With("a", 1).WithGroup("g").Warn("100% of it", "b", 2)
	log.Error("two\nlines", "v", "also\ntwo")
	log.Info("")
	want := []string{
		`info catalog: a view service="user svc" age=1m30s err="no route" level=own msg=own`,
		`warn 100% of it a=1 g.b=2`,
		`error "two\nlines" v="also\ntwo"`,
		`info `,
	}
	if !slices.Equal(to.got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(to.got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level]string{
		slog.LevelDebug - 1: "trace",
		slog.LevelDebug:     "debug",
		slog.LevelInfo - 1:  "debug",
		slog.LevelInfo:      "info",
		slog.LevelInfo + 1:  "info",
		slog.LevelInfo + 2:  "notice",
		slog.LevelWarn:      "warn",
		slog.LevelError:     "error",
		slog.LevelError + 9: "error", // and not fatal
	} {
		to := new(lines)
		slog.New(to.handler()).Log(t.Context(), level, "x")
		if !slices.Equal(to.got, []string{want + " x"}) {
			t.Errorf("%v: %q, want %s", level, to.got, want)
		}
	}
}

// The context reaches the framework's logger, which may know a trace by it.
func TestTheContextIsPassedOn(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "trace")
	to := new(lines)
	slog.New(to.handler()).InfoContext(ctx, "x")
	if to.ctx.Value(key{}) != "trace" {
		t.Error("it got another context")
	}
}

// Handlers that come of one parent don't share what they add.
func TestHandlersOfOneParent(t *testing.T) {
	t.Parallel()
	to := new(lines)
	parent := slog.New(to.handler()).With("a", 1).With("b", 2).With("c", 3)
	one, two := parent.With("d", 4), parent.With("e", 5)
	one.Info("one")
	two.Info("two")
	if want := []string{"info one a=1 b=2 c=3 d=4", "info two a=1 b=2 c=3 e=5"}; !slices.Equal(to.got, want) {
		t.Errorf("got %q, want %q", to.got, want)
	}
}

// A value that logs while it is written is no deadlock.
func TestAValueThatLogs(t *testing.T) {
	t.Parallel()
	to := new(lines)
	log := slog.New(to.handler())
	log.Info("outer", "v", talkative{log})
	if want := []string{"info inner", "info outer v=said"}; !slices.Equal(to.got, want) {
		t.Errorf("got %q, want %q", to.got, want)
	}
}

type talkative struct{ log *slog.Logger }

func (v talkative) LogValue() slog.Value {
	v.log.Info("inner")
	return slog.StringValue("said")
}

func TestAsSlogWantsIt(t *testing.T) {
	t.Parallel()
	var to *lines
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		if strings.HasSuffix(t.Name(), "/zero-time") {
			t.Skip("the framework writes the time, and always does")
		}
		to = new(lines)
		return to.handler()
	}, func(t *testing.T) map[string]any {
		if len(to.got) != 1 {
			t.Fatalf("%d lines", len(to.got))
		}
		fields := strings.Fields(to.got[0])
		out := map[string]any{slog.TimeKey: "the framework's", slog.LevelKey: fields[0], slog.MessageKey: fields[1]}
		for _, f := range fields[2:] {
			key, value, _ := strings.Cut(f, "=")
			path, in := strings.Split(key, "."), out
			for _, group := range path[:len(path)-1] {
				if in[group] == nil {
					in[group] = map[string]any{}
				}
				in = in[group].(map[string]any)
			}
			in[path[len(path)-1]] = value
		}
		return out
	})
}
