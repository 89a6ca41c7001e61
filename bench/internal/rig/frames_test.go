package rig

import (
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFrames: messages are found however the connection cuts what was sent.
func TestFrames(t *testing.T) {
	t.Parallel()
	frame := func(kind byte, payload int) []byte {
		return slices.Concat([]byte{0, byte(payload >> 8), byte(payload), kind, 0, 0, 0, 0, 1}, make([]byte, payload))
	}
	const data, headers, settings, ping, window = 0, 1, 4, 6, 8
	sent := slices.Concat([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(settings, 0), frame(headers, 300), frame(data, 700),
		frame(ping, 8), frame(window, 4), frame(data, 1), frame(data, 0)) // the last one only ends a stream
	for _, size := range []int{1, 2, 7, 9, 10, 500, len(sent)} {
		f, n := frames{skip: preface}, 0
		for b := range slices.Chunk(sent, size) {
			n += f.messages(b)
		}
		if n != 2 {
			t.Errorf("%d messages in pieces of %d bytes, want 2", n, size)
		}
	}
}
