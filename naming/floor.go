package naming

import (
	"fmt"
	"strconv"
	"strings"
)

// Floor is the least part of a service's roster that keeps serving however many of it are unfit: a percentage, or a
// count. The zero value is strict: every unfit instance withdraws.
type Floor struct {
	n       int
	percent bool
}

// Percent returns the floor of p percent of the roster, rounded down; p is held to 0..100.
func Percent(p int) Floor { return Floor{n: min(max(p, 0), 100), percent: true} }

// Count returns the floor of n instances, or of the whole roster where that is smaller; a negative n is 0.
func Count(n int) Floor { return Floor{n: max(n, 0)} }

// ParseFloor reads "50%", a percentage of 0 to 100, or "2", a count. Anything else is an error.
func ParseFloor(s string) (Floor, error) {
	digits, percent := strings.CutSuffix(s, "%")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || percent && n > 100 || strconv.Itoa(n) != digits {
		return Floor{}, fmt.Errorf("naming: floor %q: want a percentage such as 50%%, or a count such as 1", clip(s))
	}
	return Floor{n: n, percent: percent}, nil
}

// String returns what ParseFloor reads.
func (f Floor) String() string {
	if f.percent {
		return strconv.Itoa(f.n) + "%"
	}
	return strconv.Itoa(f.n)
}

// Strict reports whether f never keeps an unfit instance.
func (f Floor) Strict() bool { return f.n == 0 }

// Need returns how many of alive instances have to serve.
func (f Floor) Need(alive int) int {
	if f.percent {
		return alive * f.n / 100
	}
	return min(f.n, alive)
}

// Census counts a service's instances at one revision of the registry.
type Census struct {
	// Alive is how many are on the roster, fit or not.
	Alive int
	// Serving is how many of the alive are listed for traffic: Muster's own, not marked as leaving.
	Serving int
	// Unfit is how many of the alive say that their probes fail.
	Unfit int
}

// Permits reports whether one more of the serving may withdraw: enough serve without it, and no more are unfit than
// may be missing. selfUnfit says whether the census counts the asking instance among the unfit already.
func (f Floor) Permits(c Census, selfUnfit bool) bool {
	unfit := c.Unfit
	if !selfUnfit {
		unfit++
	}
	need := f.Need(c.Alive)
	return f.Strict() || c.Serving-1 >= need && unfit <= c.Alive-need
}

// Opens reports whether so many are unfit that those withdrawn have to serve again.
func (f Floor) Opens(c Census) bool {
	return !f.Strict() && c.Unfit > c.Alive-f.Need(c.Alive)
}

// Short reports whether fewer serve than the floor needs, for whatever reason: because some died, or were taken offline, or
// because others have joined that don't serve yet.
func (f Floor) Short(c Census) bool { return c.Serving < f.Need(c.Alive) }
