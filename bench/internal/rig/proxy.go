package rig

import (
	"net"
	"sync/atomic"
)

// Proxy passes connections on and counts their bytes, so that what a client costs the network can be told from what others do.
type Proxy struct {
	l     net.Listener
	to    string
	bytes atomic.Int64
}

// Proxy starts a proxy to an address of loopback.
func (r *Rig) Proxy(to string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{l: l, to: to}
	r.Defer(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.pass(c)
		}
	}()
	return p, nil
}

// Addr is where clients connect.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// Bytes returns how many have gone either way: what TCP carried, without its own headers.
func (p *Proxy) Bytes() int64 { return p.bytes.Load() }

func (p *Proxy) pass(c net.Conn) {
	defer c.Close()
	up, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer up.Close()
	go p.copy(c, up)
	p.copy(up, c)
}

func (p *Proxy) copy(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.bytes.Add(int64(n))
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
