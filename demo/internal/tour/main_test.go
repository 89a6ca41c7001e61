package tour

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain lets the test's program be its own child processes, as the tour is.
func TestMain(m *testing.M) {
	if code, ok := Child(os.Args[1:]); ok {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}
