package child

import (
	"runtime"
	"strings"
	"time"
)

// ours are the packages whose goroutines must have ended with Close. The frameworks keep some of their own for the life of
// a process, which are not Muster's.
var ours = []string{
	"github.com/muster-go/muster/catalog", "github.com/muster-go/muster/gate", "github.com/muster-go/muster/health",
	"github.com/muster-go/muster/naming", "github.com/muster-go/muster/kitexext", "github.com/muster-go/muster/hertzext",
	"go.etcd.io/etcd/client", "google.golang.org/grpc",
}

// left counts the goroutines that are still there after Close, giving the last of them a moment to return.
func left() (n int, stacks string) {
	for range 40 {
		if n, stacks = count(); n == 0 {
			return 0, ""
		}
		<-time.After(50 * time.Millisecond)
	}
	return n, stacks
}

// goroutines is the order to count those of Muster's and of its etcd client while the process lives.
const goroutines = "goroutines"

func (c *control) sayGoroutines() {
	n, stacks := count()
	c.say(Event{Event: "done", Done: goroutines, N: n, Stacks: stacks})
}

func count() (n int, stacks string) {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for _, g := range strings.Split(string(buf), "\n\n") {
		for _, p := range ours {
			if strings.Contains(g, p) {
				if n++; n <= 3 {
					stacks += g + "\n\n"
				}
				break
			}
		}
	}
	return n, stacks
}
