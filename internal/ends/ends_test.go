package ends

import "testing"

func TestCommon(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b        string
		front, back int
	}{
		{"", "", 0, 0},
		{"abc", "abc", 3, 0},
		{"abc", "abxc", 2, 1},
		{"abc", "ac", 1, 1},
		{"aa", "aaa", 2, 0},
		{"abc", "xyz", 0, 0},
		{"abc", "", 0, 0},
		{"xbc", "abc", 0, 2},
	} {
		if f, b := Common([]byte(tt.a), []byte(tt.b)); f != tt.front || b != tt.back {
			t.Errorf("%q, %q: %d and %d, want %d and %d", tt.a, tt.b, f, b, tt.front, tt.back)
		}
		if f, b := Common([]byte(tt.b), []byte(tt.a)); f != tt.front || b != tt.back {
			t.Errorf("%q, %q: %d and %d, want %d and %d", tt.b, tt.a, f, b, tt.front, tt.back)
		}
	}
}
