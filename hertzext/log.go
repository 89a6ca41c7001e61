package hertzext

import (
	"log/slog"

	"github.com/cloudwego/hertz/pkg/common/hlog"

	"github.com/muster-go/muster/internal/sloglines"
)

// LogHandler returns a handler that writes to Hertz's own logger, hlog.DefaultLogger as it is at each record, so that what
// Muster logs stands beside what Hertz does:
//
//	slog.SetDefault(slog.New(hertzext.LogHandler()))
//
// A line is the message, and then the attributes as slog's text handler writes them. slog's levels become those of the same
// name; below Debug is Trace, from halfway between Info and Warn on is Notice, and nothing is Fatal. The time, and which
// levels are written, are hlog's. The context is passed on.
//
// It is safe for concurrent use, but hlog.SetLogger and hlog.SetLevel are not: call them before the first line is logged.
// Where hlog itself writes to slog, the two would call each other without an end.
func LogHandler() slog.Handler {
	return sloglines.New(func() sloglines.Logger { return hlog.DefaultLogger() })
}
