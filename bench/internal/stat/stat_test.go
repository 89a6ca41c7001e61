package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		values []float64
		q      float64
		want   float64
	}{
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 2, 3}, 0.5, 2.5},
		{[]float64{1, 2, 3, 4, 5}, 0, 1},
		{[]float64{1, 2, 3, 4, 5}, 1, 5},
		{[]float64{0, 10}, 0.99, 9.9},
		{[]float64{7}, 0.99, 7},
	} {
		if got := Quantile(tt.values, tt.q); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%v of %v is %v, want %v", tt.q, tt.values, got, tt.want)
		}
	}
	if s := Summarize(nil); s.N != 0 || !math.IsNaN(s.P50) || !math.IsNaN(s.Mean) {
		t.Errorf("nothing has %+v", s)
	}
}

// TestInterval has 200 ratios estimated whose true value is known: about 19 of 20 intervals must hold it.
func TestInterval(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	sample := func(mean float64) []float64 {
		v := make([]float64, 40)
		for i := range v {
			v[i] = mean * (1 + 0.1*rng.NormFloat64())
		}
		return v
	}
	ratio, paired := 0, 0
	for range 200 {
		a, b := sample(3), sample(2)
		if e := Ratio(a, b, Mean); e.Lo <= 1.5 && 1.5 <= e.Hi {
			ratio++
		}
		if e := Paired(a, b); e.Lo <= 1.5 && 1.5 <= e.Hi {
			paired++
		}
	}
	if ratio < 178 || ratio > 199 || paired < 178 || paired > 199 {
		t.Errorf("of 200 intervals %d and %d hold the true ratio", ratio, paired)
	}
}

func TestTooFewForAnInterval(t *testing.T) {
	t.Parallel()
	if e := Ratio([]float64{2, 2}, []float64{1, 1}, Median); e.Value != 2 || !math.IsNaN(e.Lo) || !math.IsNaN(e.Hi) {
		t.Errorf("%+v", e)
	}
}
