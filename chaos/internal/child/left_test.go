package child

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	g := parse(`goroutine profile: total 4
2 @ 0x1 0x2
#	0x1	github.com/muster-go/muster/catalog.(*entry).run+0x893	/src/catalog/entry.go:93
#	0x2	sync.(*WaitGroup).Go.func1+0x4a				/go/src/sync/waitgroup.go:258

1 @ 0x3
#	0x3	main.main+0x12	/src/github.com/muster-go/muster/catalog/main.go:3

1 @ 0x1 0x4
#	0x1	github.com/muster-go/muster/catalog.(*entry).run+0x911	/src/catalog/entry.go:99
#	0x2	sync.(*WaitGroup).Go.func1+0x4a				/go/src/sync/waitgroup.go:258
`)
	const stack = "  github.com/muster-go/muster/catalog.(*entry).run\n  sync.(*WaitGroup).Go.func1\n"
	if len(g) != 1 || g[stack] != 3 || g.Total() != 3 {
		t.Fatalf("%v", g)
	}
	if more := g.More(Goroutines{stack: 2}); !strings.HasPrefix(more, "3, and 2 before:\n") || g.More(g) != "" {
		t.Errorf("%q", more)
	}
}

// TestRunning: this goroutine is in a package of Muster's, but in none that is counted.
func TestRunning(t *testing.T) {
	t.Parallel()
	if g := running(); g.Total() != 0 {
		t.Errorf("%v", g)
	}
}
