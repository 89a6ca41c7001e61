package rig

import (
	"io"
	"net"
	"sync/atomic"
)

// Forwarder is an address that outlives the processes behind it: new connections go where it points.
type Forwarder struct {
	l  net.Listener
	to atomic.Pointer[string]
}

// NewForwarder listens on loopback and forwards to an address.
func NewForwarder(to string) (*Forwarder, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &Forwarder{l: l}
	f.Point(to)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.forward(c)
		}
	}()
	return f, nil
}

// Addr is where it listens.
func (f *Forwarder) Addr() string { return f.l.Addr().String() }

// Point sends new connections elsewhere.
func (f *Forwarder) Point(to string) { f.to.Store(&to) }

// Close ends it, but not the connections that it has made.
func (f *Forwarder) Close() { _ = f.l.Close() }

func (f *Forwarder) forward(c net.Conn) {
	defer c.Close()
	up, err := net.Dial("tcp", *f.to.Load())
	if err != nil {
		return
	}
	defer up.Close()
	go func() {
		_, _ = io.Copy(up, c)
		_ = up.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(c, up)
}
