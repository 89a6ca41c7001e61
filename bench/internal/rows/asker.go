package rows

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/muster-go/muster/bench/internal/stat"
)

// asker asks one server for /healthz over one connection. It understands just enough of HTTP to cost little beside the
// server: a status line, and a body of a stated length.
type asker struct {
	conn net.Conn
	in   *bufio.Reader
}

var healthRequest = []byte("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")

func newAsker(addr string) (*asker, error) {
	deadline := time.Now().Add(patience)
	for {
		conn, err := net.DialTimeout("tcp", addr, patience)
		if err == nil {
			return &asker{conn, bufio.NewReader(conn)}, nil
		}
		if time.Now().After(deadline) {
			return nil, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// times asks n times and returns what each took, in nanoseconds.
func (a *asker) times(n int) ([]float64, error) {
	out := make([]float64, n)
	for i := range out {
		start := time.Now()
		if err := a.ask(); err != nil {
			return nil, err
		}
		out[i] = float64(time.Since(start))
	}
	return out, nil
}

func (a *asker) ask() error {
	if _, err := a.conn.Write(healthRequest); err != nil {
		return err
	}
	length := -1
	for first := true; ; first = false {
		line, err := a.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) && !bytes.HasPrefix(line, []byte("HTTP/1.1 503")) {
			return fmt.Errorf("answer %q", line)
		}
		if len(line) == 0 {
			break
		}
		if key, text, ok := bytes.Cut(line, []byte(": ")); ok && bytes.EqualFold(key, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(text)); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer without a length")
	}
	_, err := io.CopyN(io.Discard, a.in, int64(length))
	return err
}

func median(v []float64) float64 { return stat.Median(v) }
func p99(v []float64) float64    { return stat.P99(v) }
