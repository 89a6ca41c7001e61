package naming

import "testing"

func TestParseFloor(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]Floor{
		"50%": Percent(50), "0%": Percent(0), "100%": Percent(100), "0": {}, "1": Count(1), "12": Count(12),
	} {
		f, err := ParseFloor(s)
		if err != nil || f != want || f.String() != s {
			t.Errorf("%q: %v, %v", s, f, err)
		}
	}
	for _, s := range []string{"", "%", "-1", "101%", "1.5", "50 %", " 50%", "+1", "01", "half", "1e3", "0x10", "99999999999999999999", "50%%"} {
		if f, err := ParseFloor(s); err == nil {
			t.Errorf("%q is %v", s, f)
		}
	}
}

func FuzzParseFloor(f *testing.F) {
	for _, s := range []string{"50%", "1", "", "00", "-0", "100%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseFloor(s)
		if err == nil && got.String() != s {
			t.Errorf("%q is read as %q", s, got)
		}
	})
}

func TestNeed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		f           Floor
		alive, want int
	}{
		{Percent(50), 0, 0},
		{Percent(50), 1, 0},
		{Percent(50), 2, 1},
		{Percent(50), 3, 1},
		{Percent(50), 4, 2},
		{Percent(50), 12, 6},
		{Percent(100), 3, 3},
		{Percent(0), 3, 0},
		{Percent(34), 3, 1},
		{Percent(33), 3, 0},
		{Percent(150), 3, 3},
		{Percent(-1), 3, 0},
		{Count(1), 0, 0},
		{Count(1), 1, 1},
		{Count(2), 1, 1},
		{Count(2), 5, 2},
		{Count(-3), 5, 0},
		{Floor{}, 5, 0},
	} {
		if got := c.f.Need(c.alive); got != c.want {
			t.Errorf("%v of %d needs %d, want %d", c.f, c.alive, got, c.want)
		}
	}
}

func TestStrict(t *testing.T) {
	t.Parallel()
	for _, f := range []Floor{{}, Percent(0), Count(0)} {
		if c := (Census{Alive: 3, Serving: 1, Unfit: 3}); !f.Strict() || !f.Permits(c, true) || f.Opens(c) || f.Short(c) {
			t.Errorf("%v keeps somebody", f)
		}
	}
	for _, f := range []Floor{Percent(1), Count(1)} {
		if f.Strict() {
			t.Errorf("%v is strict", f)
		}
	}
}

// TestOneByOne has instances of a fleet fail one after another.
func TestOneByOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		alive int
		f     Floor
		out   int // how many withdraw before the floor refuses
		open  int // the number of unfit from which those withdrawn serve again; 0 for never
	}{
		{4, Percent(50), 2, 3},
		{3, Percent(50), 2, 3},
		{2, Percent(50), 1, 2},
		{1, Percent(50), 1, 0},
		{12, Percent(50), 6, 7},
		{5, Percent(100), 0, 1},
		{1, Count(1), 0, 1},
		{3, Count(1), 2, 3},
		{3, Count(7), 0, 1},
		{3, Floor{}, 3, 0},
	} {
		census := Census{Alive: c.alive, Serving: c.alive}
		out, open := 0, 0
		for i := range c.alive {
			if c.f.Permits(census, false) {
				if !c.f.Permits(Census{census.Alive, census.Serving, census.Unfit + 1}, true) {
					t.Errorf("%+v: the census counts the asking one or not, and the answer differs", c)
				}
				census.Serving--
				out++
			}
			census.Unfit++
			if open == 0 && c.f.Opens(census) {
				open = i + 1
			}
		}
		if out != c.out || open != c.open {
			t.Errorf("%+v: %d withdrew, opened at %d", c, out, open)
		}
	}
}

// FuzzFloor looks for a permission that breaks the floor, and for one that is taken back at once.
func FuzzFloor(f *testing.F) {
	f.Add(uint8(50), true, uint8(4), uint8(4), uint8(0))
	f.Add(uint8(1), false, uint8(1), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, n uint8, percent bool, alive, serving, unfit uint8) {
		floor := Count(int(n))
		if percent {
			floor = Percent(int(n))
		}
		c := Census{Alive: int(alive), Serving: min(int(serving), int(alive)), Unfit: min(int(unfit), int(alive))}
		if c.Serving == 0 || c.Unfit == 0 || floor.Strict() || !floor.Permits(c, true) {
			return
		}
		after := c
		after.Serving--
		if floor.Short(after) {
			t.Errorf("%v permits a withdrawal from %+v", floor, c)
		}
		if floor.Opens(after) {
			t.Errorf("%v permits a withdrawal from %+v and opens at once: it would flap", floor, c)
		}
	})
}
