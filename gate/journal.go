package gate

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/muster-go/muster/health"
)

const (
	// repeatBurst and repeatPause bound the repetitions of each message, of all registrations of a gate together. One server
	// whose dependency comes and goes is far below; hundreds behind an etcd that does would write a thousand lines each time.
	repeatBurst = 20
	repeatPause = 5 * time.Second
	// summaryPause is the least time between two lines about what has been left out.
	summaryPause = 10 * time.Second
	// forgotten is after how long a transition is news again.
	forgotten = 10 * time.Minute
)

// Messages that repeat themselves for as long as the registry comes and goes.
const (
	msgChanged  = "registration changed"
	msgFailed   = "the registry did not do it; trying again"
	msgAnswers  = "the registry answers again"
	msgLost     = "lost the place in the registry; joining again"
	msgConflict = "conflict in the registry"
)

// journal decides which lines a gate's registrations write, and counts the others. It is safe for concurrent use.
type journal struct {
	mu      sync.Mutex // guards everything that follows
	repeats map[string]*rate.Limiter
	leftOut int
	since   time.Time // when the first of them was left out
}

// news counts a line that is written in any case, so that repetitions wait for their turn behind it.
func (j *journal) news(msg string) { j.mayRepeat(msg) }

// repeat reports whether a line may be written that is like others before it, and counts it where it may not.
func (j *journal) repeat(msg string) bool {
	ok := j.mayRepeat(msg)
	if !ok {
		j.leaveOut()
	}
	return ok
}

func (j *journal) mayRepeat(msg string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	l := j.repeats[msg]
	if l == nil {
		if j.repeats == nil {
			j.repeats = map[string]*rate.Limiter{}
		}
		l = rate.NewLimiter(rate.Every(repeatPause), repeatBurst)
		j.repeats[msg] = l
	}
	return l.Allow()
}

// leaveOut counts a line that is not written.
func (j *journal) leaveOut() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.leftOut == 0 {
		j.since = time.Now()
	}
	j.leftOut++
}

// due returns how many lines were left out, and in which time, if it is time to say so: then it begins to count anew.
func (j *journal) due(atOnce bool) (n int, within time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	within = time.Since(j.since)
	if j.leftOut == 0 || within < summaryPause && !atOnce {
		return 0, 0
	}
	n, j.leftOut = j.leftOut, 0
	return n, within
}

// summarize says what has been left out of the log, and where all registrations stand now, so that the last line about one
// of them is never the last word.
func (g *Gate) summarize(atOnce bool) {
	n, within := g.journal.due(atOnce)
	if n == 0 {
		return
	}
	g.log.Log(context.Background(), slog.LevelWarn, "registrations have more of the same to say than is logged", "left_out", n,
		"within", within.Round(time.Millisecond), "now", g.standing(), "namespace", g.o.Namespace.String())
}

// standing counts the registrations by state.
func (g *Gate) standing() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	counts := map[health.Lifecycle]int{}
	for r := range g.live {
		counts[r.State()]++
	}
	var all []string
	for l, n := range counts {
		all = append(all, fmt.Sprintf("%d %s", n, l))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
