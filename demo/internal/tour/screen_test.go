package tour

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

func TestScreen(t *testing.T) {
	t.Parallel()
	for _, color := range []bool{false, true} {
		var out bytes.Buffer
		s := &screen{w: &out, color: color, began: time.Now()}
		s.stepf("first", "a %s", "chapter")
		s.sayf("a line")
		s.within("soon enough", time.Millisecond, time.Second)
		s.within("too late", 2*time.Second, time.Second)
		s.stepf("second", "another")
		s.lastCall("nobody called", time.Unix(10, 0), time.Time{}, time.Second)
		s.lastCall("somebody did", time.Unix(10, 0), time.Unix(12, 0), time.Second)
		s.summary()

		got := out.String()
		if s.broken() != 2 || !strings.Contains(got, "2 of 4 promises broken") {
			t.Errorf("%d broken of\n%s", s.broken(), got)
		}
		if strings.Contains(got, "\x1b") != color {
			t.Errorf("colour asked for: %v, got\n%q", color, got)
		}
		for _, want := range []string{"1. a chapter", "a line", "soon enough", "1.0 ms", "2.00 s", "BROKEN", "none after", "NO"} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is missing in\n%s", want, got)
			}
		}
	}
}

func TestNoColorIntoAFile(t *testing.T) {
	t.Parallel()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if newScreen(f).color {
		t.Fatal("colour although the output is no terminal")
	}
}
