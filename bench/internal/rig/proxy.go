package rig

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy passes connections on. It counts their bytes, so that what a client costs the network can be told from what others
// do, and notes when a gRPC client sends a message. It can be taken down and up again at the same address.
type Proxy struct {
	to, addr string
	bytes    atomic.Int64
	first    chan time.Time // has room for one: the first message since Arm

	mu    sync.Mutex // guards everything that follows
	l     net.Listener
	conns map[net.Conn]bool
}

// Proxy starts a proxy to an address of loopback.
func (r *Rig) Proxy(to string) (*Proxy, error) {
	p := &Proxy{to: to, addr: "127.0.0.1:0", first: make(chan time.Time, 1), conns: map[net.Conn]bool{}}
	if err := p.Up(); err != nil {
		return nil, err
	}
	r.Defer(p.Down)
	return p, nil
}

// Addr is where clients connect.
func (p *Proxy) Addr() string { return p.addr }

// Bytes returns how many have gone either way: what TCP carried, without its own headers.
func (p *Proxy) Bytes() int64 { return p.bytes.Load() }

// Arm makes the client's next message the first one.
func (p *Proxy) Arm() {
	select {
	case <-p.first:
	default:
	}
}

// First returns when the first message since Arm came.
func (p *Proxy) First(ctx context.Context) (time.Time, error) {
	select {
	case at := <-p.first:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("the client never asked: %w", context.Cause(ctx))
	}
}

// Up accepts connections.
func (p *Proxy) Up() error {
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.l, p.addr = l, l.Addr().String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.pass(c)
		}
	}()
	return nil
}

// Down ends all connections and refuses others.
func (p *Proxy) Down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.l.Close()
	for c := range p.conns {
		_ = c.Close()
	}
}

// keep has Down end a connection, until it is forgotten.
func (p *Proxy) keep(c net.Conn) (forget func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	return func() {
		_ = c.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	}
}

func (p *Proxy) pass(c net.Conn) {
	defer p.keep(c)()
	up, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer up.Close()
	go p.copy(c, up, func([]byte) {})
	f := frames{skip: preface}
	p.copy(up, c, func(b []byte) {
		if f.messages(b) > 0 {
			select {
			case p.first <- time.Now():
			default: // one was first
			}
		}
	})
}

func (p *Proxy) copy(to, from net.Conn, look func([]byte)) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.bytes.Add(int64(n))
		look(buf[:n])
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
