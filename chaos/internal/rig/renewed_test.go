package rig

import (
	"testing"
	"time"
)

// TestLife has etcd asked about a lease of 10 s every 50 ms for 4 s after an election, which gave it 11 s.
func TestLife(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) time.Time { return time.Unix(1000, 0).Add(d) }
	for name, tt := range map[string]struct {
		renewed []time.Duration
		seen    bool
	}{
		"never":                          {nil, false},
		"in the first second":            {[]time.Duration{200 * time.Millisecond}, false},
		"in the first second, and again": {[]time.Duration{200 * time.Millisecond, 3533 * time.Millisecond}, true},
		"after a second":                 {[]time.Duration{time.Second}, false},
		"after a second and a bit":       {[]time.Duration{1200 * time.Millisecond}, true},
		"later":                          {[]time.Duration{2500 * time.Millisecond}, true},
	} {
		var l life
		seen := false
		for now := time.Duration(0); now < 4*time.Second; now += 50 * time.Millisecond {
			asked := now + 3*time.Millisecond // etcd looks between being asked and being heard
			end := 11 * time.Second
			for _, r := range tt.renewed {
				if asked >= r {
					end = r + 10*time.Second
				}
			}
			seen = seen || l.see(at(now), at(asked+4*time.Millisecond), int64((end-asked)/time.Second))
		}
		if seen != tt.seen {
			t.Errorf("%s: seen renewed: %v", name, seen)
		}
	}
}
