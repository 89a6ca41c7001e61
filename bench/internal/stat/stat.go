// Package stat reduces repetitions to what a table shows.
package stat

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Summary describes repetitions of one measurement. All but N are NaN where there is none.
type Summary struct {
	N                                  int
	Min, P10, P50, P90, P99, Max, Mean float64
}

// Summarize describes values, which it does not change.
func Summarize(values []float64) Summary {
	s := slices.Sorted(slices.Values(values))
	return Summary{
		N: len(s), Min: at(s, 0), P10: at(s, 0.1), P50: at(s, 0.5), P90: at(s, 0.9), P99: at(s, 0.99), Max: at(s, 1), Mean: Mean(s),
	}
}

// Median is the middle one, or between the two that are.
func Median(values []float64) float64 { return Quantile(values, 0.5) }

// P99 is exceeded by one of a hundred. Of fewer than a hundred repetitions it is close to their maximum.
func P99(values []float64) float64 { return Quantile(values, 0.99) }

// Mean is NaN for no values.
func Mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// Quantile interpolates between the two nearest; q is 0 to 1. It is NaN for no values.
func Quantile(values []float64, q float64) float64 {
	return at(slices.Sorted(slices.Values(values)), q)
}

func at(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	pos := q * float64(len(sorted)-1)
	i := int(pos)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (pos-float64(i))*(sorted[i+1]-sorted[i])
}

// Estimate is a figure with its 95 % confidence interval. Lo and Hi are NaN where there are too few repetitions for one.
type Estimate struct{ Value, Lo, Hi float64 }

const (
	// resamples is enough for the two ends of a 95 % interval to stand still in the second digit.
	resamples = 2000
	// fewest is what an interval is given for.
	fewest = 5
)

// Ratio estimates of(a)/of(b), the repetitions of a and b being independent, by a percentile bootstrap. The same values give
// the same interval.
func Ratio(a, b []float64, of func([]float64) float64) Estimate {
	e := Estimate{of(a) / of(b), math.NaN(), math.NaN()}
	if len(a) < fewest || len(b) < fewest {
		return e
	}
	rng := source()
	ra, rb := make([]float64, len(a)), make([]float64, len(b))
	return e.interval(func() float64 { return of(draw(rng, ra, a)) / of(draw(rng, rb, b)) })
}

// Paired estimates the median of a[i]/b[i], by a percentile bootstrap over the pairs. What made a whole pair slow is thus
// taken out. The same values give the same interval.
func Paired(a, b []float64) Estimate {
	r := make([]float64, min(len(a), len(b)))
	for i := range r {
		r[i] = a[i] / b[i]
	}
	e := Estimate{Median(r), math.NaN(), math.NaN()}
	if len(r) < fewest {
		return e
	}
	rng, drawn := source(), make([]float64, len(r))
	return e.interval(func() float64 { return Median(draw(rng, drawn, r)) })
}

func (e Estimate) interval(again func() float64) Estimate {
	all := make([]float64, resamples)
	for i := range all {
		all[i] = again()
	}
	e.Lo, e.Hi = Quantile(all, 0.025), Quantile(all, 0.975)
	return e
}

func source() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func draw(rng *rand.Rand, into, from []float64) []float64 {
	for i := range into {
		into[i] = from[rng.IntN(len(from))]
	}
	return into
}
