package gate

import (
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// refusedPause is the pause after a registry has refused an instance as invalid: nothing but a change there helps.
const refusedPause = 30 * time.Second

// retryPace spreads the first retry over 50 to 450 ms, so that processes which lost the registry together don't come back
// together, and goes on for ever at 0.2 to 1.8 s, so that the wait after a long outage is short.
func retryPace() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval: 250 * time.Millisecond, RandomizationFactor: 0.8, Multiplier: 1.6, MaxInterval: time.Second,
	}
}

// lookPace has unfit instances look at the others after an eighth to three eighths of a second, then ever more rarely, up
// to 1.5 to 4.5 s.
func lookPace() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval: 250 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 3 * time.Second,
	}
}

// calmPause is between the looks after which a held instance may leave.
func calmPause() time.Duration { return 500*time.Millisecond + rand.N(time.Second) }

// firstLook comes soon: if a whole service fails at once, those that have withdrawn are missing.
func firstLook() time.Duration {
	return 20*time.Millisecond + rand.N(40*time.Millisecond)
}
