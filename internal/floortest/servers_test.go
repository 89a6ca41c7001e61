package floortest

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster/catalog"
)

// server answers each connection with what it is sent, until the test ends.
type server struct {
	net.Listener
	wg sync.WaitGroup
}

func newServer(t *testing.T) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Listener: l}
	s.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { defer c.Close(); _, _ = io.Copy(c, c) })
		}
	})
	t.Cleanup(s.stop)
	return s
}

func (s *server) stop() {
	_ = s.Close()
	s.wg.Wait()
}

func (s *server) addr() string { return s.Listener.Addr().String() }

func newServers(t *testing.T, n int) []*server {
	t.Helper()
	all := make([]*server, n)
	for i := range all {
		all[i] = newServer(t)
	}
	return all
}

// call is one call of a client's.
type call struct {
	at   time.Time
	addr string
	err  error
}

// load calls a service all the time, picking at random from what the catalog says.
type load struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// mu guards everything that follows.
	mu    sync.Mutex
	calls []call
	least int           // the shortest list
	more  chan struct{} // closed and replaced with each call
}

func newLoad(t *testing.T, c *catalog.Catalog) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{cancel: cancel, least: 1 << 30, more: make(chan struct{})}
	for range 3 {
		l.wg.Go(func() {
			for ctx.Err() == nil {
				l.once(ctx, c)
			}
		})
	}
	t.Cleanup(l.stop)
	return l
}

func (l *load) stop() { l.cancel(); l.wg.Wait() }

func (l *load) once(ctx context.Context, c *catalog.Catalog) {
	v, err := c.Lookup(ctx, "user-svc")
	one, n := call{at: time.Now(), err: err}, 0
	if err == nil {
		if n = len(v.Instances); n == 0 {
			one.err = net.UnknownNetworkError("nobody serves")
		} else {
			one.addr = v.Instances[rand.N(n)].Addr
			one.err = echo(ctx, one.addr)
		}
	}
	if ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls, l.least = append(l.calls, one), min(l.least, n)
	close(l.more)
	l.more = make(chan struct{})
}

func echo(ctx context.Context, addr string) error {
	d := net.Dialer{Timeout: 5 * time.Second}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 1))
	return err
}

// until waits until so holds after a call.
func (l *load) until(t *testing.T, what string, so func(call) bool) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		l.mu.Lock()
		there, more := len(l.calls) > 0 && so(l.calls[len(l.calls)-1]), l.more
		l.mu.Unlock()
		if there {
			return
		}
		select {
		case <-more:
		case <-late.C:
			t.Fatalf("%s did not come to be", what)
		}
	}
}

// past waits until a call was made after that time.
func (l *load) past(t *testing.T, at time.Time) {
	t.Helper()
	l.until(t, "a call", func(c call) bool { return c.at.After(at) })
}

// failed returns how many calls there were, those that failed, and the length of the shortest list.
func (l *load) failed() (all int, failed []call, least int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.calls), slices.DeleteFunc(slices.Clone(l.calls), func(c call) bool { return c.err == nil }), l.least
}

// lines is a log that can be read.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
