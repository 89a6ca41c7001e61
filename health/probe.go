package health

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// The defaults of a [Probe].
const (
	DefaultInterval         = 5 * time.Second
	DefaultTimeout          = time.Second // or Interval, if that is less
	DefaultJitter           = 0.10
	DefaultFailureThreshold = 3
	DefaultSuccessThreshold = 1

	// NoJitter switches the jitter off, since 0 means the default.
	NoJitter = -1
)

const (
	minInterval = time.Millisecond
	minQuick    = 100 * time.Millisecond
)

// Probe is one dependency and how to look at it. The zero value of each field but Name and Check means its default.
type Probe struct {
	// Name is what the world calls the dependency: a segment of a URL's path and a key in bodies. 1 to 63 letters, digits,
	// '.', '_' and '-', beginning with a letter or digit; unique in its monitor.
	Name string

	// Check looks at the dependency once. It is never called twice at a time. Its context ends at Timeout and when the
	// monitor closes. Nil means well; [Degraded] well enough; any other error, a panic, and a return at or after the
	// deadline are failures. Use the application's own handle in it, so that it sees what the application would see.
	Check func(context.Context) error

	// Interval is the longest time from the start of a run to the start of the next. Default 5 s, at least 1 ms. While a
	// verdict is pending (suspect, recovering, unknown) it shrinks to a quarter, but not below 100 ms or Interval itself.
	Interval time.Duration

	// Timeout is when a run counts as failed, whether the check returns or not. Default 1 s, or Interval if that is less; at
	// most Interval.
	Timeout time.Duration

	// InitialDelay is the time from Start to the first run. Default 0.
	InitialDelay time.Duration

	// Jitter shortens each interval by a random part of it, up to this one, so that a fleet does not probe in step: 0.1
	// means 90 % to 100 % of Interval. Default 0.1, at most 1; [NoJitter] switches it off.
	Jitter float64

	// FailureThreshold is how many failures in a row turn an ok probe into a failing one. Default 3. A probe that has never
	// been ok fails at the first.
	FailureThreshold int

	// SuccessThreshold is how many passes in a row turn an unknown or failing probe into an ok one. Default 1.
	SuccessThreshold int

	// Level is Critical by default.
	Level Level

	// Disabled keeps the probe in the report and never runs it.
	Disabled bool
}

// usableName is what can stand in a URL's path, a header and a log line without an escape.
var usableName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// withDefaults returns p with its defaults filled in, or an error that names the probe and the field.
func (p Probe) withDefaults() (Probe, error) {
	if p.Interval == 0 {
		p.Interval = DefaultInterval
	}
	if p.Timeout == 0 {
		p.Timeout = min(DefaultTimeout, p.Interval)
	}
	if p.FailureThreshold == 0 {
		p.FailureThreshold = DefaultFailureThreshold
	}
	if p.SuccessThreshold == 0 {
		p.SuccessThreshold = DefaultSuccessThreshold
	}
	err := p.check()
	switch p.Jitter {
	case 0:
		p.Jitter = DefaultJitter
	case NoJitter:
		p.Jitter = 0
	}
	return p, err
}

func (p Probe) check() error {
	if p.Name == "" {
		return errors.New("health: a probe has no Name: give it one, such as \"db\"")
	}
	if !usableName.MatchString(p.Name) {
		return fmt.Errorf("health: probe %.80q: Name: want 1 to 63 letters, digits, '.', '_' and '-', beginning with a letter or digit", p.Name)
	}
	bad := func(field, format string, args ...any) error {
		return fmt.Errorf("health: probe %q: %s: %s", p.Name, field, fmt.Sprintf(format, args...))
	}
	switch {
	case p.Check == nil:
		return bad("Check", "is nil; a ready-made check is nil too where its handle was")
	case p.Interval < minInterval:
		return bad("Interval", "%v; want at least %v, or 0 for %v", p.Interval, minInterval, DefaultInterval)
	case p.Timeout < 0:
		return bad("Timeout", "%v is negative; want 0 for the default, or up to Interval", p.Timeout)
	case p.Timeout > p.Interval:
		return bad("Timeout", "%v is above Interval, %v; lower it or raise Interval", p.Timeout, p.Interval)
	case p.InitialDelay < 0:
		return bad("InitialDelay", "%v is negative", p.InitialDelay)
	case p.Jitter != NoJitter && !(p.Jitter >= 0 && p.Jitter <= 1): // the negation catches NaN
		return bad("Jitter", "%v; want 0 to 1, 0 for the default, or NoJitter", p.Jitter)
	case p.FailureThreshold < 0:
		return bad("FailureThreshold", "%d is negative; want 0 for the default, or at least 1", p.FailureThreshold)
	case p.SuccessThreshold < 0:
		return bad("SuccessThreshold", "%d is negative; want 0 for the default, or at least 1", p.SuccessThreshold)
	case p.Level != Critical && p.Level != Advisory:
		return bad("Level", "%d; want Critical or Advisory", int(p.Level))
	}
	return nil
}

// thresholds returns the counts that the state machine wants.
func (p Probe) thresholds() thresholds {
	return thresholds{failure: p.FailureThreshold, success: p.SuccessThreshold}
}

// staleAfter is how long the end of a run stays worth something.
func (p Probe) staleAfter() time.Duration { return 3*p.Interval + p.Timeout }

// pause returns the time from the start of a run to the start of the next one; random is in [0, 1).
func (p Probe) pause(v verdict, random float64) time.Duration {
	d := p.Interval
	if v.pending() {
		d = min(p.Interval, max(p.Interval/4, minQuick))
	}
	return d - time.Duration(float64(d)*p.Jitter*random)
}
