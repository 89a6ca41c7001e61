// Package service is what the main functions of the demo's services share.
package service

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/muster-go/muster/demo/internal/beside"
	"github.com/muster-go/muster/demo/internal/logging"
)

// Main runs a service until a signal ends it, and returns the process's exit code: 0 after a clean stop, however early
// the signal came.
func Main(name string, run func(context.Context, *slog.Logger) error) int {
	ctx, cancel := beside.Signals() // before all else, for the signal in the first moment
	defer cancel()
	log := logging.Setup(os.Stderr, name)
	err := run(ctx, log)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // the signal came before the servers were up
	}
	if err != nil {
		log.Error("stopped by an error", "error", err)
		return 1
	}
	log.Info("stopped")
	return 0
}
