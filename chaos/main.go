// Command chaos is Muster's fault suite: "go run ./chaos" breaks, one after another, everything that can break between a
// service, a three-node etcd and its callers, under constant calls, and prints what came of it. Each fault can be tried
// alone: -list names them, -run selects. With -soak it breaks things at random for as long as that says.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"github.com/muster-go/muster/chaos/internal/child"
	"github.com/muster-go/muster/chaos/internal/fault"
	"github.com/muster-go/muster/chaos/internal/rig"
	"github.com/muster-go/muster/internal/etcdtest"
)

func main() {
	// The suite starts this program again for each of its processes.
	_ = os.Setenv("ETCD_CLIENT_DEBUG", "error") // the unmodified resolver's client has a log of its own
	etcdtest.Main()
	child.Main()
	os.Exit(run())
}

func run() int {
	list := flag.Bool("list", false, "list the scenarios")
	only := flag.String("run", "", "run the scenarios whose name matches this regular expression")
	seed := flag.Uint64("seed", 0, "seed of everything random; 0 chooses one")
	side := flag.Int("parallel", 4, "how many scenarios run beside each other")
	soak := flag.Duration("soak", 0, "break things at random for that long instead")
	flag.Parse()
	match, err := regexp.Compile(*only)
	if err != nil || flag.NArg() > 0 || *side < 1 {
		flag.Usage()
		return 2
	}
	if *seed == 0 {
		*seed = rand.Uint64()>>32 + 1
	}
	var chosen []rig.Scenario
	all := fault.All()
	if *soak > 0 {
		all = []rig.Scenario{fault.Soak(*soak)}
	}
	for _, s := range all {
		if match.MatchString(s.Name) {
			chosen = append(chosen, s)
		}
	}
	if *list {
		for _, s := range chosen {
			fmt.Fprintf(os.Stdout, "%-26s %s: %s\n", s.Name, s.Fault, s.Promise)
		}
		return 0
	}
	if len(chosen) == 0 {
		fmt.Fprintln(os.Stderr, "no scenario matches", *only)
		return 2
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	began := time.Now()
	rows := rig.RunAll(ctx, chosen, *seed, *side, func(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) })
	rig.Table(os.Stdout, rows)
	took := time.Since(began)
	limit := suiteLimit
	if *only != "" || *soak > 0 {
		limit = 0
	}
	line, code := verdict(rows, took, limit)
	fmt.Fprintf(os.Stdout, "%s, seed %d\n", line, *seed)
	return code
}

// suiteLimit is how long the whole suite may take on two cores.
const suiteLimit = 12 * time.Minute

// verdict sums up a run and says with what it exits. A limit of 0 is none.
func verdict(rows []rig.Row, took, limit time.Duration) (line string, code int) {
	broken := 0
	for _, r := range rows {
		if !r.Kept() {
			broken++
		}
	}
	line = fmt.Sprintf("%d scenarios, %d broken promises, %v", len(rows), broken, took.Round(time.Second))
	if broken > 0 {
		code = 1
	}
	if limit > 0 && took > limit {
		line, code = fmt.Sprintf("%s, longer than the %v that the suite may take", line, limit), 1
	}
	return line, code
}
