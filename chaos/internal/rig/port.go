package rig

import (
	"errors"
	"fmt"
	"net"
)

// Ports below the range that the system takes for outgoing connections: one that a stopped process listened on is still
// there when it is started again. Each of the scenarios that run beside each other has a range of its own.
const (
	firstPort = 11000
	rangePort = 1000
	maxSide   = 16
)

// ports hands out the ports of one range, round and round.
type ports struct{ base, next int }

func newPorts(slot int) *ports { return &ports{base: firstPort + slot*rangePort} }

// take returns a port on which nobody listens.
func (p *ports) take() (int, error) {
	for range rangePort {
		port := p.base + p.next%rangePort
		p.next++
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port")
}

func (p *ports) takeAll(n int) (all []int, err error) {
	for range n {
		port, err := p.take()
		if err != nil {
			return nil, err
		}
		all = append(all, port)
	}
	return all, nil
}

// Address returns an address of loopback on which nobody listens.
func (w *World) Address() (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	port, err := w.ports.take()
	return fmt.Sprintf("127.0.0.1:%d", port), err
}
