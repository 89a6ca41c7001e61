package child

import (
	"bytes"
	"fmt"
	"maps"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// ours are the packages whose goroutines must have ended with Close. The frameworks keep some of their own for the life of
// a process, which are not Muster's.
var ours = []string{
	"github.com/muster-go/muster/catalog.", "github.com/muster-go/muster/gate.", "github.com/muster-go/muster/health.",
	"github.com/muster-go/muster/naming", "github.com/muster-go/muster/kitexext.", "github.com/muster-go/muster/hertzext.",
	"go.etcd.io/etcd/client", "google.golang.org/grpc",
}

// Goroutines is how many goroutines of Muster's and of its etcd client there are, by the functions that they are in, the
// innermost first.
type Goroutines map[string]int

// Total is how many there are.
func (g Goroutines) Total() (n int) {
	for _, k := range g {
		n += k
	}
	return n
}

// More lists those that there are more of than there were before.
func (g Goroutines) More(before Goroutines) string {
	var b strings.Builder
	for _, stack := range slices.Sorted(maps.Keys(g)) {
		if n, was := g[stack], before[stack]; n > was {
			fmt.Fprintf(&b, "%d, and %d before:\n%s", n, was, stack)
		}
	}
	return b.String()
}

// left counts the goroutines that are still there after Close, giving the last of them a moment to return.
func left() Goroutines {
	var g Goroutines
	for range 40 {
		if g = running(); len(g) == 0 {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	return g
}

// goroutines is the order to count those of Muster's and of its etcd client while the process lives.
const goroutines = "goroutines"

func (c *control) sayGoroutines() {
	c.say(Event{Event: "done", Done: goroutines, Goroutines: running()})
}

func running() Goroutines {
	var buf bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&buf, 1) // a buffer takes everything
	return parse(buf.String())
}

// parse reads a goroutine profile: for each stack a line "N @ …", and a line "# address function+offset file:line" for
// each of its functions.
func parse(profile string) Goroutines {
	all := Goroutines{}
	for group := range strings.SplitSeq(profile, "\n\n") {
		var n int
		var stack strings.Builder
		counts := false
		for line := range strings.Lines(group) {
			f := strings.Fields(line)
			switch {
			case len(f) > 1 && f[1] == "@":
				_, _ = fmt.Sscan(f[0], &n)
			case len(f) > 3 && f[0] == "#":
				name, _, _ := strings.Cut(f[2], "+0x")
				fmt.Fprintf(&stack, "  %s\n", name)
				counts = counts || slices.ContainsFunc(ours, func(p string) bool { return strings.HasPrefix(name, p) })
			}
		}
		if counts {
			all[stack.String()] += n
		}
	}
	return all
}
