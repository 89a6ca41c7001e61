package kitexext

import (
	"log/slog"

	"github.com/cloudwego/kitex/pkg/klog"

	"github.com/muster-go/muster/internal/sloglines"
)

// LogHandler returns a handler that writes to Kitex's own logger, klog.DefaultLogger as it is at each record, so that what
// Muster logs stands beside what Kitex does:
//
//	slog.SetDefault(slog.New(kitexext.LogHandler()))
//
// A line is the message, and then the attributes as slog's text handler writes them. slog's levels become those of the same
// name; below Debug is Trace, from halfway between Info and Warn on is Notice, and nothing is Fatal. The time, and which
// levels are written, are klog's. The context is passed on.
//
// It is safe for concurrent use, but klog.SetLogger and klog.SetLevel are not: call them before the first line is logged.
// Where klog itself writes to slog, the two would call each other without an end.
func LogHandler() slog.Handler {
	return sloglines.New(func() sloglines.Logger { return klog.DefaultLogger() })
}
