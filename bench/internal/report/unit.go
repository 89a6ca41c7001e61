package report

import (
	"math"
	"strconv"
	"time"
)

// Unit says what a measure counts.
type Unit string

// The units.
const (
	Nanoseconds Unit = "ns"
	Bytes       Unit = "B"
	Count       Unit = ""
	PerSecond   Unit = "/s"
)

// Format writes a value as a person would.
func (u Unit) Format(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	switch u {
	case Nanoseconds:
		return nanoseconds(v)
	case Bytes:
		for _, s := range []struct {
			size float64
			name string
		}{{1 << 30, " GiB"}, {1 << 20, " MiB"}, {1 << 10, " KiB"}} {
			if math.Abs(v) >= s.size {
				return trim(v/s.size) + s.name
			}
		}
		return trim(v) + " B"
	default:
		return trim(v) + string(u)
	}
}

func nanoseconds(v float64) string {
	switch a := math.Abs(v); {
	case a < 1e3:
		return trim(v) + " ns"
	case a < 1e6:
		return trim(v/1e3) + " µs"
	case a < 1e9:
		return trim(v/1e6) + " ms"
	default:
		return trim(v/1e9) + " s"
	}
}

// trim writes three digits that mean something.
func trim(v float64) string {
	if v == 0 {
		return "0"
	}
	if math.Abs(v) < 1e-4*(1-1e-9) { // more zeros than can be counted at a glance; 0.0001 itself may be a little less
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if digits > 0 {
		for s[len(s)-1] == '0' {
			s = s[:len(s)-1]
		}
		if s[len(s)-1] == '.' {
			s = s[:len(s)-1]
		}
	}
	return s
}

// Times returns durations as values of a measure.
func Times(ds []time.Duration) []float64 {
	out := make([]float64, len(ds))
	for i, d := range ds {
		out[i] = float64(d)
	}
	return out
}
