package floortest

import (
	"testing"

	"github.com/muster-go/muster/naming"
)

// TestOneTwoThreeOfFour: one unfit leaves, two do, the third is held and brings the other two back; when the share falls
// those leave again.
func TestOneTwoThreeOfFour(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4, half(), nil)
	broken := func(i int, b bool) { w.all[i].Dependency.Set(b) }
	broken(0, true)
	w.waitEach(t, "the first is out", out, serves, serves, serves)
	broken(1, true)
	w.waitEach(t, "two are out", out, out, serves, serves)
	broken(2, true)
	w.waitEach(t, "three serve degraded", degraded, degraded, degraded, serves)
	broken(2, false)
	w.waitEach(t, "two are out again", out, out, serves, serves)
	broken(0, false)
	broken(1, false)
	w.wait(t, "all serve", 4, serves)
	w.judge(t)
}

func TestFew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		n     int
		floor naming.Floor
		want  func(Member) bool
		leave int // how often anybody withdraws: who stays never goes and comes back
	}{
		"a lone one obeys its probe":               {1, half(), out, 1},
		"a lone one stays with a floor of one":     {1, naming.Count(1), degraded, 0},
		"all leave with a floor of nothing":        {3, naming.Floor{}, out, 3},
		"all stay where the floor is everything":   {3, naming.Percent(100), degraded, 0},
		"all stay where the floor is more of them": {2, naming.Count(5), degraded, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.n, c.floor, nil)
			for _, i := range w.all {
				i.Dependency.Set(true)
			}
			w.wait(t, name, c.n, c.want)
			for _, i := range w.all {
				i.Dependency.Set(false)
			}
			w.wait(t, "all serve again", c.n, serves)
			if n := w.replay(t); n != c.leave {
				t.Errorf("%d withdrawals, want %d", n, c.leave)
			}
		})
	}
}
