package health

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"
)

func pass(context.Context) error { return nil }

func TestProbeDefaults(t *testing.T) {
	t.Parallel()
	p, err := Probe{Name: "db", Check: pass}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if p.Interval != 5*time.Second || p.Timeout != time.Second || p.InitialDelay != 0 || p.Jitter != 0.1 ||
		p.FailureThreshold != 3 || p.SuccessThreshold != 1 || p.Level != Critical || p.Disabled {
		t.Errorf("defaults: %+v", p)
	}
	if p, err = (Probe{Name: "db", Check: pass, Interval: 300 * time.Millisecond, Jitter: NoJitter}).withDefaults(); err != nil {
		t.Fatal(err)
	}
	if p.Timeout != 300*time.Millisecond {
		t.Errorf("Timeout = %v, want the interval, which is the lesser", p.Timeout)
	}
	if p.Jitter != 0 {
		t.Errorf("Jitter = %v, want none", p.Jitter)
	}
}

func TestProbeValidation(t *testing.T) {
	t.Parallel()
	ok := Probe{Name: "db", Check: pass}
	with := func(f func(*Probe)) Probe { p := ok; f(&p); return p }
	for _, c := range []struct {
		want []string // all in the error
		p    Probe
	}{
		{[]string{"Name"}, with(func(p *Probe) { p.Name = "" })},
		{[]string{"Name", "a/b"}, with(func(p *Probe) { p.Name = "a/b" })},
		{[]string{"Name"}, with(func(p *Probe) { p.Name = ".." })},
		{[]string{"Name"}, with(func(p *Probe) { p.Name = "a b" })},
		{[]string{"Name"}, with(func(p *Probe) { p.Name = "a\r\nb" })},
		{[]string{"Name"}, with(func(p *Probe) { p.Name = "ä" })},
		{[]string{"Name"}, with(func(p *Probe) { p.Name = strings.Repeat("x", 64) })},
		{[]string{`"db"`, "Check"}, with(func(p *Probe) { p.Check = nil })},
		{[]string{`"db"`, "Check"}, with(func(p *Probe) { p.Check = SQL(nil) })},
		{[]string{`"db"`, "Check"}, with(func(p *Probe) { p.Check, p.Disabled = nil, true })},
		{[]string{`"db"`, "Interval"}, with(func(p *Probe) { p.Interval = -1 })},
		{[]string{`"db"`, "Interval"}, with(func(p *Probe) { p.Interval = time.Microsecond })},
		{[]string{`"db"`, "Timeout"}, with(func(p *Probe) { p.Timeout = -1 })},
		{[]string{`"db"`, "Timeout", "Interval"}, with(func(p *Probe) { p.Timeout = 6 * time.Second })},
		{[]string{`"db"`, "Timeout", "Interval"}, with(func(p *Probe) { p.Interval, p.Timeout = time.Second, 2*time.Second })},
		{[]string{`"db"`, "InitialDelay"}, with(func(p *Probe) { p.InitialDelay = -1 })},
		{[]string{`"db"`, "Jitter"}, with(func(p *Probe) { p.Jitter = -0.1 })},
		{[]string{`"db"`, "Jitter"}, with(func(p *Probe) { p.Jitter = 1.1 })},
		{[]string{`"db"`, "Jitter"}, with(func(p *Probe) { p.Jitter = math.NaN() })},
		{[]string{`"db"`, "FailureThreshold"}, with(func(p *Probe) { p.FailureThreshold = -1 })},
		{[]string{`"db"`, "SuccessThreshold"}, with(func(p *Probe) { p.SuccessThreshold = -3 })},
		{[]string{`"db"`, "Level"}, with(func(p *Probe) { p.Level = 2 })},
	} {
		m, err := New(Options{}, c.p)
		if err == nil {
			m.Close()
			t.Errorf("%+v: no error", c.p)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("error %q does not name %s", err, w)
			}
		}
	}
	if _, err := New(Options{}, ok, ok); err == nil || !strings.Contains(err.Error(), `"db"`) {
		t.Errorf("duplicate: %v", err)
	}
	for _, name := range []string{"db", "Redis-1", "user.db_2", "9", strings.Repeat("x", 63)} {
		m, err := New(Options{}, Probe{Name: name, Check: pass})
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		m.Close()
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	peace, pending := verdict{state: StateOK}, verdict{state: StateSuspect}
	for _, c := range []struct {
		interval time.Duration
		jitter   float64
		v        verdict
		random   float64
		want     time.Duration
	}{
		{5 * time.Second, 0, peace, 0.99, 5 * time.Second},
		{5 * time.Second, 0.1, peace, 0, 5 * time.Second},
		{5 * time.Second, 0.1, peace, 0.5, 4750 * time.Millisecond},
		{5 * time.Second, 0, pending, 0, 1250 * time.Millisecond},
		{200 * time.Millisecond, 0, pending, 0, 100 * time.Millisecond},
		{20 * time.Millisecond, 0, pending, 0, 20 * time.Millisecond},
		{5 * time.Second, 0, verdict{state: StateRecovering}, 0, 1250 * time.Millisecond},
		{5 * time.Second, 0, verdict{state: StateUnknown}, 0, 1250 * time.Millisecond},
		{5 * time.Second, 0, verdict{state: StateFailing}, 0, 5 * time.Second},
	} {
		p := Probe{Interval: c.interval, Jitter: c.jitter}
		if got := p.pause(c.v, c.random); got != c.want {
			t.Errorf("pause(%+v) = %v, want %v", c, got, c.want)
		}
	}
}
