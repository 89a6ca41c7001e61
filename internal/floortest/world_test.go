package floortest

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

// repetitions is how often everything fails: a few times tell a developer what there is to know. measured says that
// FLOOR_REPETITIONS was set, for a machine that does nothing else meanwhile, so that times are worth judging; the limits are
// slack otherwise.
func repetitions(t *testing.T) (n int, measured bool) {
	t.Helper()
	text := os.Getenv("FLOOR_REPETITIONS")
	if text == "" {
		return 3, false
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("FLOOR_REPETITIONS=%q: want a number of at least 1", text)
	}
	return n, true
}

// slack widens a limit where nothing is measured.
func slack[T int64 | time.Duration](measured bool, limit T) T {
	if measured {
		return limit
	}
	return 3 * limit
}

// interval is the probes'.
const interval = time.Second

func half() naming.Floor { return naming.Percent(50) }

// What a member may be.
func serves(m Member) bool   { return m.Serving && !m.Degraded && !m.Unfit && m.State == "serving" }
func degraded(m Member) bool { return m.Serving && m.Degraded && m.Unfit && m.State == "held" }
func out(m Member) bool      { return !m.Serving && m.Unfit && m.State == "withdrawn" }
func decided(m Member) bool  { return m.Unfit && (m.State == "held" || m.State == "withdrawn") }

func addr(n int) string { return fmt.Sprintf("10.0.0.%d:8888", n+1) }

// world is a fleet on one etcd, and a ledger of it.
type world struct {
	*Node
	floor  naming.Floor
	all    []*Instance
	ledger *Ledger
}

// newWorld returns n instances that serve. They share a dependency where dep is not nil.
func newWorld(t *testing.T, n int, f naming.Floor, dep *Dependency) *world {
	t.Helper()
	w := &world{Node: StartNode(t), floor: f}
	w.ledger = Keep(t, w.Client(), w.newAudit())
	for i := range n {
		w.all = append(w.all, Make(t, w.spec(i, dep)))
	}
	for _, i := range w.all { // all at once, so that their probes run in step
		i.Monitor.Start()
	}
	w.wait(t, "all serve", n, serves)
	return w
}

func (w *world) spec(i int, dep *Dependency) Spec {
	return Spec{Endpoint: w.Endpoint(), Addr: addr(i), Dependency: dep, Floor: w.floor, Interval: interval}
}

func (w *world) newAudit() *Audit { return NewAudit(etcd.DefaultRoot, Dev(), "user-svc", w.floor) }

// wait returns when there are n members and all are so, and when that was heard of.
func (w *world) wait(t *testing.T, what string, n int, so func(Member) bool) time.Time {
	t.Helper()
	return w.ledger.Wait(t, what, func(a *Audit) bool { return a.All(n, so) })
}

// waitEach is wait for members of which each is to be something else.
func (w *world) waitEach(t *testing.T, what string, so ...func(Member) bool) {
	t.Helper()
	w.ledger.Wait(t, what, func(a *Audit) bool {
		for i, f := range so {
			if m, ok := a.Members[addr(i)]; !ok || !f(m) {
				return false
			}
		}
		return len(a.Members) == len(so)
	})
}

// judge is replay for a history that has to hold withdrawals.
func (w *world) judge(t *testing.T) {
	t.Helper()
	if w.replay(t) == 0 {
		t.Error("nobody ever withdrew: this proves nothing")
	}
}

// replay replays etcd's history from its first revision, and fails if a withdrawal was below the floor. It returns how many
// withdrawals there were.
func (w *world) replay(t *testing.T) (withdrawals int) {
	t.Helper()
	cli := w.Client()
	now, err := cli.Get(t.Context(), "now")
	if err != nil {
		t.Fatal(err)
	}
	replay := Keep(t, cli, w.newAudit())
	replay.Reach(t, now.Header.Revision)
	replay.Look(func(a *Audit) {
		t.Logf("replayed %d revisions: %d withdrawals, %d below the floor", now.Header.Revision, a.Withdrawals, len(a.Breaches))
		for _, b := range a.Breaches {
			t.Error(b)
		}
		withdrawals = a.Withdrawals
	})
	return withdrawals
}

// each returns one figure of all rounds.
func each[T int64 | time.Duration](rounds []round, of func(round) T) (all []T) {
	for _, r := range rounds {
		all = append(all, of(r))
	}
	return all
}

// figures are the median and the worst.
func figures[T int64 | time.Duration](all []T) string {
	all = slices.Sorted(slices.Values(all))
	return fmt.Sprintf("p50 %v max %v", median(all), all[len(all)-1])
}

func median[T int64 | time.Duration](all []T) T { return slices.Sorted(slices.Values(all))[len(all)/2] }
