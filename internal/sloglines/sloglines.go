// Package sloglines gives what is logged through slog to the logger of a framework, one line of text for each record. Kitex
// and Hertz have the same interface for theirs, each under a name of its own.
package sloglines

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Logger is what both frameworks' loggers have. Fatal, which ends the process, is never wanted.
type Logger interface {
	CtxTracef(ctx context.Context, format string, v ...any)
	CtxDebugf(ctx context.Context, format string, v ...any)
	CtxInfof(ctx context.Context, format string, v ...any)
	CtxNoticef(ctx context.Context, format string, v ...any)
	CtxWarnf(ctx context.Context, format string, v ...any)
	CtxErrorf(ctx context.Context, format string, v ...any)
}

// notice is between slog's Info and Warn, where the frameworks have a level and slog has no name.
const notice = (slog.LevelInfo + slog.LevelWarn) / 2

// New returns a handler that writes to what logger returns, which is asked at each record. It is safe for concurrent use if
// logger is.
func New(logger func() Logger) slog.Handler { return &handler{logger: logger} }

// handler is immutable.
type handler struct {
	logger func() Logger
	with   []func(slog.Handler) slog.Handler // WithAttrs and WithGroup, in their order
}

// Enabled implements slog.Handler. Neither framework's logger says what its level is, and so gets everything: it drops what
// is below.
func (h *handler) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.and(func(t slog.Handler) slog.Handler { return t.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return h.and(func(t slog.Handler) slog.Handler { return t.WithGroup(name) })
}

func (h *handler) and(with func(slog.Handler) slog.Handler) slog.Handler {
	return &handler{logger: h.logger, with: append(slices.Clip(h.with), with)}
}

// Handle implements slog.Handler. The record's time is left to the framework, which writes its own.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	attrs, err := h.attrs(ctx, r)
	if err != nil {
		return err
	}
	line := r.Message
	if strings.ContainsFunc(line, func(c rune) bool { return !unicode.IsPrint(c) }) {
		line = strconv.Quote(line) // it stays one line
	}
	line += attrs
	switch to := h.logger(); {
	case r.Level < slog.LevelDebug:
		to.CtxTracef(ctx, "%s", line)
	case r.Level < slog.LevelInfo:
		to.CtxDebugf(ctx, "%s", line)
	case r.Level < notice:
		to.CtxInfof(ctx, "%s", line)
	case r.Level < slog.LevelWarn:
		to.CtxNoticef(ctx, "%s", line)
	case r.Level < slog.LevelError:
		to.CtxWarnf(ctx, "%s", line)
	default:
		to.CtxErrorf(ctx, "%s", line)
	}
	return nil
}

// bare is how slog's text handler begins the line of a record without a time and a message.
const bare = `level=INFO msg=""`

// attrs returns the record's attributes as slog's text handler writes them, with a space before each. It makes a handler for
// each record, so that no lock is held while the user's values say what they are.
func (h *handler) attrs(ctx context.Context, r slog.Record) (string, error) {
	var buf bytes.Buffer
	var text slog.Handler = slog.NewTextHandler(&buf, nil)
	for _, with := range h.with {
		text = with(text)
	}
	only := slog.Record{Level: slog.LevelInfo}
	r.Attrs(func(a slog.Attr) bool {
		only.AddAttrs(a)
		return true
	})
	if err := text.Handle(ctx, only); err != nil {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimPrefix(buf.String(), bare), "\n"), nil
}
