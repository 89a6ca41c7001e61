package floortest

import (
	"fmt"
	"testing"

	"github.com/muster-go/muster/naming"
)

// history is a service's, one revision after another.
type history struct {
	*Audit
	rev int64
}

func (h *history) put(es ...Event) {
	h.rev++
	h.Revision(h.rev, es)
}

func roster(n int, state string) Event {
	return Event{Key: "muster/dev/.roster/default/user-svc/" + addr(n), Value: fmt.Appendf(nil, `{"id":"%d","state":%q}`, n, state)}
}

func serving(n int, state string) Event {
	return Event{
		Key:   "muster/dev/default/user-svc/" + addr(n),
		Value: fmt.Appendf(nil, `{"address":%q,"tags":{"muster.id":"%d","muster.state":%q}}`, addr(n), n, state),
	}
}

func gone(e Event) Event { return Event{Key: e.Key, Delete: true} }

// TestAudit: the judge must know a withdrawal below the floor when it sees one, and nothing else.
func TestAudit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		floor                 naming.Floor
		run                   func(h *history)
		withdrawals, breaches int
	}{
		"one of two": {half(), func(h *history) {
			h.put(serving(0, "leaving"), roster(0, "withdrawn"))
			h.put(gone(serving(0, "")))
		}, 1, 0},
		"two of two": {half(), func(h *history) {
			h.put(serving(0, "leaving"), roster(0, "withdrawn"))
			h.put(serving(1, "leaving"), roster(1, "withdrawn"))
		}, 2, 1},
		"two of two without a floor": {naming.Floor{}, func(h *history) {
			h.put(serving(0, "leaving"), roster(0, "withdrawn"))
			h.put(serving(1, "leaving"), roster(1, "withdrawn"))
		}, 2, 0},
		"a key that is deleted without a mark": {naming.Percent(100), func(h *history) {
			h.put(gone(serving(0, "")), roster(0, "withdrawn"))
		}, 1, 1},
		"both leave": {half(), func(h *history) {
			for n := range 2 {
				h.put(serving(n, "leaving"))
				h.put(gone(serving(n, "")), gone(roster(n, "")))
			}
		}, 0, 0},
		"a mark that no leave follows": {naming.Percent(100), func(h *history) {
			h.put(serving(0, "leaving"))
			h.put(roster(0, "withdrawn"))
		}, 1, 1},
		"a mark that is taken back": {naming.Percent(100), func(h *history) {
			h.put(serving(0, "leaving"))
			h.put(serving(0, ""))
		}, 1, 1},
		"both expire": {half(), func(h *history) {
			h.put(gone(serving(0, "")), gone(roster(0, "")))
			h.put(gone(serving(1, "")), gone(roster(1, "")))
		}, 0, 0},
		"an operator": {naming.Percent(100), func(h *history) {
			h.put(serving(0, "leaving"), roster(0, "offline"))
		}, 0, 0},
		"after an expiry": {naming.Percent(100), func(h *history) {
			h.put(gone(serving(0, "")), gone(roster(0, "")))
			h.put(serving(1, "leaving"), roster(1, "withdrawn"))
		}, 1, 1},
		"beside one that waits": {half(), func(h *history) {
			h.put(roster(2, "waiting"), roster(3, "waiting"))
			h.put(serving(1, "leaving"), roster(1, "withdrawn"))
		}, 1, 1},
		"a stranger's key does not serve": {half(), func(h *history) {
			h.put(Event{Key: serving(1, "").Key, Value: fmt.Appendf(nil, `{"address":%q}`, addr(1))})
			h.put(serving(0, "leaving"), roster(0, "withdrawn"))
		}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &history{Audit: NewAudit("muster", Dev(), "user-svc", c.floor)}
			for n := range 2 {
				h.put(roster(n, "waiting"))
				h.put(serving(n, ""), roster(n, "serving"))
			}
			c.run(h)
			h.put(serving(7, "")) // whatever comes next
			if h.Withdrawals != c.withdrawals || len(h.Breaches) != c.breaches {
				t.Errorf("%d withdrawals and %q, want %d and %d", h.Withdrawals, h.Breaches, c.withdrawals, c.breaches)
			}
		})
	}
}
