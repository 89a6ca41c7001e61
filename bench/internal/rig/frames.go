package rig

// preface is what a client of HTTP/2 sends before its frames.
const preface = len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// frames finds the messages in what a gRPC client sends: frames of nine bytes and their payload. A ping or a window is
// none, so that whatever the transport does by itself does not count.
type frames struct {
	skip int // what is left of a payload
	head [9]byte
	have int
}

// messages returns how many begin in the next bytes of the connection.
func (f *frames) messages(b []byte) (n int) {
	for len(b) > 0 {
		if k := min(f.skip, len(b)); k > 0 {
			f.skip -= k
			b = b[k:]
			continue
		}
		k := copy(f.head[f.have:], b)
		f.have += k
		b = b[k:]
		if f.have < len(f.head) {
			continue
		}
		f.have = 0
		f.skip = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
		if data := f.head[3] == 0; data && f.skip > 0 {
			n++
		}
	}
	return n
}
