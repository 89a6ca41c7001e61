package etcd

import (
	"io"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc/connectivity"
)

// proxy passes connections on to a node, and can cut them all.
type proxy struct {
	net.Listener
	to string
	wg sync.WaitGroup

	// mu guards everything that follows.
	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{Listener: l, to: to, open: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		in, err := p.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.mu.Lock()
		p.open[in], p.open[out] = true, true
		closed := p.closed
		p.mu.Unlock()
		if closed {
			p.cut()
		}
		for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
			p.wg.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_, _ = pair[0].Close(), pair[1].Close()
			})
		}
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
	clear(p.open)
}

// cutNoticed cuts a driver's connection, and returns once the driver has a new one.
func cutNoticed(t *testing.T, p *proxy, d *Driver) {
	t.Helper()
	h, err := d.conn.get(within(t))
	must(t, err)
	conn := h.cli.ActiveConnection()
	p.cut()
	if !conn.WaitForStateChange(within(t), connectivity.Ready) {
		t.Fatal("the cut is not noticed")
	}
	awaitReady(t, d)
}

func awaitReady(t *testing.T, d *Driver) {
	t.Helper()
	h, err := d.conn.get(within(t))
	must(t, err)
	conn := h.cli.ActiveConnection()
	for s := conn.GetState(); s != connectivity.Ready; s = conn.GetState() {
		if !conn.WaitForStateChange(within(t), s) {
			t.Fatalf("still %v", s)
		}
	}
}
