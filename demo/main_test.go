package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// asProgram has the test's program be the demo, and with it the tour's child processes. Its value is the run's own, by which
// what is left of it can be found. Its name is none of those that the tour clears away.
const asProgram = "TOUR_OF_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}
