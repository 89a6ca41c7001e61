package health

import (
	"errors"
	"fmt"
	"regexp"
)

var (
	errTimeout  = errors.New("health: the check did not return in time")
	errPanicked = errors.New("health: the check panicked")
	errExited   = errors.New("health: the check ended its goroutine without returning")
)

// degradedError marks an error that does not make the check fail.
type degradedError struct{ err error }

func (e *degradedError) Error() string { return e.err.Error() }
func (e *degradedError) Unwrap() error { return e.err }

// Degraded wraps what a check returns if the dependency can be relied upon though something is wrong with it, such as a
// replica that lags: the run passes and the word is degraded. Degraded(nil) is nil.
func Degraded(err error) error {
	if err == nil {
		return nil
	}
	return &degradedError{err}
}

// panicText is all that is ever said of a panic's value.
func panicText(v any) string { return fmt.Sprintf("panic with a value of type %T", v) }

var (
	userinfo = regexp.MustCompile(`[^\s/"'(=]*:[^\s"']*@`)
	setting  = regexp.MustCompile(`(?i)\b([a-z_-]*(?:password|passwd|pwd|secret|token|api_?key|authorization)[a-z_-]*["']?\s*[=:]\s*)("[^"]*"|'[^']*'|(?:bearer |basic )?[^\s&;,]+)`)
)

// scrub makes an error's text fit for a log: short, on one line, and without what looks like a credential. It can't know
// a bare secret in a sentence; Options.ErrorText is for checks that say such.
func scrub(s string) string {
	const most = 300
	s = userinfo.ReplaceAllString(s, "***@")
	s = setting.ReplaceAllString(s, "${1}***")
	b := []rune(s)
	for i, c := range b {
		if c < ' ' {
			b[i] = ' '
		}
	}
	if len(b) > most {
		return string(b[:most]) + "..."
	}
	return string(b)
}
