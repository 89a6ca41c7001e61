package rig

import (
	"testing"
	"time"
)

func TestDeparted(t *testing.T) {
	t.Parallel()
	t0 := time.Now()
	at := func(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }
	for name, tt := range map[string]struct {
		seen []sighting
		call float64
		want bool
	}{
		"never seen":               {nil, 1, false},
		"listed":                   {[]sighting{{at: at(0), listed: true}}, 1, false},
		"left":                     {[]sighting{{at: at(0), listed: true}, {at: at(1), leaving: true}}, 1.5, true},
		"left and deleted":         {[]sighting{{at: at(0), listed: true}, {at: at(1), leaving: true}, {at: at(1.1)}}, 2, true},
		"within the grace":         {[]sighting{{at: at(0), listed: true}, {at: at(1), leaving: true}}, 1.2, false},
		"before it left":           {[]sighting{{at: at(0), listed: true}, {at: at(1), leaving: true}}, 0.5, false},
		"lapsed without a word":    {[]sighting{{at: at(0), listed: true}, {at: at(1)}}, 2, false},
		"withdrawn without a mark": {[]sighting{{at: at(0), listed: true}, {at: at(1), withdrawn: true}}, 1.5, true},
		"withdrawn, and back":      {[]sighting{{at: at(1), withdrawn: true}, {at: at(1.1), listed: true}}, 2, false},
		"told, and then gone":      {[]sighting{{at: at(0), listed: true}, {at: at(1), told: true}, {at: at(2)}}, 3, true},
		"told, and still there":    {[]sighting{{at: at(0), listed: true}, {at: at(1), told: true}}, 3, false},
		"another after it":         {[]sighting{{at: at(1), told: true}, {at: at(2)}, {at: at(3), listed: true}, {at: at(4)}}, 5, false},
		"back":                     {[]sighting{{at: at(1), leaving: true}, {at: at(2), listed: true}}, 3, false},
		"back in this moment":      {[]sighting{{at: at(1), leaving: true}, {at: at(2), listed: true}}, 1.9, false},
		"etcd's data were others":  {[]sighting{{at: at(1), leaving: true}, {at: at(2), unknown: true}}, 3, false},
	} {
		o := &Observer{seen: map[string][]sighting{"k": tt.seen}}
		if got := o.departed("k", at(tt.call), 250*time.Millisecond); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestExcused(t *testing.T) {
	t.Parallel()
	t0 := time.Now()
	all := []excuse{{from: t0, to: t0.Add(time.Second), service: ServiceA, most: 2}}
	used := make([]int, 1)
	call := func(service string, began, took time.Duration) bool {
		return excused(all, Call{Service: service, Began: t0.Add(began), Took: took}, used)
	}
	if call(ServiceB, 0, 0) || call(ServiceA, -time.Second, time.Second/2) || call(ServiceA, 2*time.Second, 0) {
		t.Error("an excuse for another service, or another time")
	}
	if !call(ServiceA, -time.Second, 2*time.Second) || !call(ServiceA, time.Second/2, 0) {
		t.Error("no excuse where there is one")
	}
	if call(ServiceA, time.Second/2, 0) {
		t.Error("excused more than there are excuses for")
	}
}

// TestSight: a serving key that goes while the roster entry stays is a withdrawal; both go with a lease.
func TestSight(t *testing.T) {
	t.Parallel()
	serving, roster := ServingKey(ServiceA, "127.0.0.1:1"), RosterKey(ServiceA, "127.0.0.1:1")
	for name, tt := range map[string]struct {
		gone []change
		want bool
	}{
		"withdrawn":                 {[]change{{key: serving}}, true},
		"lapsed":                    {[]change{{key: serving}, {key: roster}}, false},
		"lapsed, in another order":  {[]change{{key: roster}, {key: serving}}, false},
		"off the roster, and there": {[]change{{key: roster}}, false},
	} {
		o := newObserver(nil)
		now := time.Now()
		o.sight(now, []change{{key: roster, value: "{}", put: true}})
		o.sight(now, []change{{key: serving, value: "{}", put: true}})
		o.sight(now, tt.gone)
		if got := o.departed(serving, now.Add(time.Second), Grace); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestDuring(t *testing.T) {
	t.Parallel()
	t0 := time.Now()
	stalls := []stall{{"a-1", t0.Add(time.Second), t0.Add(2 * time.Second)}}
	for began, want := range map[time.Duration]int{0: 0, 600 * time.Millisecond: 1, 1500 * time.Millisecond: 1, 2100 * time.Millisecond: 0} {
		if n := during(stalls, []Call{{Began: t0.Add(began), Took: 500 * time.Millisecond}}); n != want {
			t.Errorf("begun after %v: %d, want %d", began, n, want)
		}
	}
}
