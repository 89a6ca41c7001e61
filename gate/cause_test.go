package gate

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

func TestWhy(t *testing.T) {
	t.Parallel()
	half := naming.Percent(50)
	for _, c := range []struct {
		from, to health.Lifecycle
		is       circumstances
		want     string
	}{
		{health.Waiting, health.Serving, circumstances{fit: true}, "every critical probe passes"},
		{health.Waiting, health.Serving, circumstances{fit: true, turn: "joined again"}, "joined again"},
		{health.Withdrawn, health.Serving, circumstances{fit: true, last: "db failing"}, "every critical probe passes"},
		{health.Withdrawn, health.Serving, circumstances{fit: true, turn: "the operator's order is gone"}, "the operator's order is gone"},
		{health.Held, health.Serving, circumstances{fit: true, last: "db failing"}, "every critical probe passes"},
		{health.Held, health.Serving, circumstances{bad: "db failing", last: "db failing"}, "db failing, and the floor no longer needs it"},
		{health.Serving, health.Withdrawn, circumstances{bad: "db failing"}, "db failing"},
		{health.Serving, health.Withdrawn, circumstances{fit: true, last: "db timeout"}, "db timeout until a moment ago"},
		{health.Waiting, health.Withdrawn, circumstances{bad: "db failing", turn: "joined again"}, "joined again; db failing"},
		{health.Offline, health.Withdrawn, circumstances{fit: true, turn: "the operator's order has run out"}, "the operator's order has run out"},
		{health.Offline, health.Withdrawn, circumstances{bad: "db failing", turn: "the operator's order is gone"}, "the operator's order is gone; db failing"},
		{health.Serving, health.Held, circumstances{bad: "db failing", floor: half}, "db failing, but the floor of 50% keeps it serving"},
		{health.Withdrawn, health.Held, circumstances{bad: "db failing", floor: half}, "db failing, but the floor of 50% calls it back"},
		{health.Withdrawn, health.Held, circumstances{fit: true, last: "db failing", floor: half}, "db failing, but the floor of 50% calls it back"},
		{health.Serving, health.Offline, circumstances{fit: true, order: "offline by alice"}, "offline by alice"},
		{health.Serving, health.Waiting, circumstances{fit: true, ended: naming.ErrLost}, "the membership has ended: naming: lease lost"},
		{health.Offline, health.Waiting, circumstances{turn: "the operator's order is gone"}, "the operator's order is gone"},
		{health.Serving, health.Draining, circumstances{fit: true}, "deregistered"},
		{health.Draining, health.Gone, circumstances{fit: true}, "left"},
		{health.Draining, health.Gone, circumstances{gone: errors.New("timeout")}, "left, without an answer of the registry"},
	} {
		if got := why(c.from, c.to, c.is); got != c.want {
			t.Errorf("%v to %v, %+v: %q, want %q", c.from, c.to, c.is, got, c.want)
		}
	}
}

// causes returns the transitions in the log: from, to and cause.
func (l *lines) causes() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, s := range l.all {
		if _, s, ok := strings.Cut(s, `msg="registration changed"`); ok {
			_, s, _ = strings.Cut(s, "from=")
			s, _, _ = strings.Cut(s, " after=")
			all = append(all, s)
		}
	}
	return all
}

// TestTheLogSaysWhy walks one instance, of two, through what can happen to it.
func TestTheLogSaysWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		other, _ := w.start(2, nil)
		defer other.close()
		log := &lines{}
		w.Break(namingtest.Refuse)
		p, r := w.start(1, func(o *Options) { o.Logger = log.logger() })
		defer p.close()
		settle(10 * time.Second)
		w.Break(namingtest.None)
		settle(10 * time.Second)
		want := []string{`waiting to=serving cause="the registry has answered"`}
		check := func(more ...string) {
			t.Helper()
			want = append(want, more...)
			if got := log.causes(); strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Fatalf("the log says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		check()
		w.ExpireLease(p.driver)
		settle(10 * time.Second)
		check(`serving to=waiting cause="the membership has ended: naming: lease lost: expired"`, `waiting to=serving cause="joined again"`)
		p.sick.Store(true)
		settle(10 * time.Second)
		check(`serving to=withdrawn cause="db failing"`)
		w.ExpireLease(p.driver)
		settle(10 * time.Second)
		check(`withdrawn to=waiting cause="the membership has ended: naming: lease lost: expired"`, `waiting to=withdrawn cause="joined again; db failing"`)
		p.sick.Store(false)
		settle(10 * time.Second)
		check(`withdrawn to=serving cause="every critical probe passes"`)
		w.SetOffline(r.in.ID, "alice", time.Time{})
		settle(10 * time.Second)
		w.SetOnline(r.in.ID)
		settle(10 * time.Second)
		check(`serving to=offline cause="offline by alice"`, `offline to=withdrawn cause="the operator's order is gone"`,
			`withdrawn to=serving cause="the operator's order is gone"`)
		w.SetOffline(r.in.ID, "bob", time.Now().Add(time.Minute))
		synctest.Wait()
		p.sick.Store(true)
		settle(2 * time.Minute)
		if got := log.causes(); !strings.HasSuffix(got[len(got)-1], `cause="the operator's order has run out; db failing"`) {
			t.Fatalf("the log says %q", got[len(got)-1])
		}
		p.sick.Store(false)
		settle(10 * time.Second)
		if got := log.causes(); got[len(got)-1] != `withdrawn to=serving cause="every critical probe passes"` {
			t.Fatalf("the log says %q", got[len(got)-1])
		}
	})
}
