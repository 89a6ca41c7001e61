package kitexext

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/cloudwego/kitex/client/callopt"
	"github.com/cloudwego/kitex/pkg/kerrors"
)

// listenPoll is how often a self-call looks whether a server that has never answered listens by now.
const listenPoll = 50 * time.Millisecond

// SelfCall returns a check that calls a method of the process's own Kitex server, through its listener, its middlewares and
// its handler, so that a server whose handlers are deadlocked or whose limits are exhausted is found unfit:
//
//	health.Probe{Name: "rpc", Check: kitexext.SelfCall(addr, cli.GetUser, &user.GetUserRequest{Id: 1})}
//
// addr is where the server listens, as it was given to server.WithServiceAddr; with port 0, make the listener with
// net.Listen, give it to server.WithListener, and its Addr here. An unspecified host is called over loopback.
//
// method is one of a client of the same service. It should be cheap and change nothing, and an error of it, one that the
// handler returned included, fails the check. The request is shared by all runs. The call goes to addr whatever the client
// resolves with, so that no registry is asked. Give the check a client of its own, since Kitex's circuit breakers and
// statistics are a client's; its connection is kept between the calls unless client.WithShortConnection says otherwise.
//
// The check keeps to its context: it returns when that ends, and Kitex's own call ends with it. As long as the server has
// never answered, a connection that can't be made is tried again until the context ends, so that a probe may be started before the
// server. What is misconfigured fails at each run, and says so.
func SelfCall[Request, Response any](
	addr net.Addr,
	method func(context.Context, Request, ...callopt.Option) (Response, error),
	request Request,
) func(context.Context) error {
	if method == nil {
		return SelfCallFunc(addr, nil)
	}
	return SelfCallFunc(addr, func(ctx context.Context, to ...callopt.Option) error {
		_, err := method(ctx, request, to...)
		return err
	})
}

// SelfCallFunc is [SelfCall] for methods of another shape, and for those whose answer is to be looked at: call is to make one
// call with all the options that it gets, and to return nil if the answer is as it should be.
func SelfCallFunc(addr net.Addr, call func(ctx context.Context, to ...callopt.Option) error) func(context.Context) error {
	to, err := selfAddr(addr)
	if call == nil {
		err = errors.New("kitexext: SelfCall got no method to call")
	}
	if err != nil {
		return func(context.Context) error { return err }
	}
	s := &selfCall{to: to, call: call}
	return s.check
}

// selfCall is one check.
type selfCall struct {
	to       string
	call     func(context.Context, ...callopt.Option) error
	answered atomic.Bool
}

func (s *selfCall) check(ctx context.Context) error {
	for {
		err := s.once(ctx)
		if err == nil {
			s.answered.Store(true)
			return nil
		}
		if s.answered.Load() || !errors.Is(err, kerrors.ErrGetConnection) {
			return fmt.Errorf("kitexext: self-call to %s: %w", s.to, err)
		}
		t := time.NewTimer(listenPoll)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("kitexext: self-call to %s: nobody listens yet: %w", s.to, err)
		}
	}
}

func (s *selfCall) once(ctx context.Context) error {
	to := []callopt.Option{callopt.WithHostPort(s.to)}
	if end, ok := ctx.Deadline(); ok {
		// Without a timeout of its own, Kitex's goroutine would wait on the connection for ever.
		left := max(time.Until(end), time.Millisecond)
		to = append(to, callopt.WithRPCTimeout(left), callopt.WithConnectTimeout(left))
	}
	err := s.call(ctx, to...)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case kerrors.IsTimeoutError(err):
		// Kitex's timer may be a little earlier than the context's.
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}

// selfAddr returns what to dial so as to reach a listener of this machine's.
func selfAddr(addr net.Addr) (string, error) {
	if addr == nil {
		return "", errors.New("kitexext: SelfCall got no address: give it the one of server.WithServiceAddr, or the listener's")
	}
	if addr.Network() == "unix" {
		return addr.String(), nil
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "", fmt.Errorf("kitexext: SelfCall got the address %.80q, which is no host:port", addr.String())
	}
	if port == "" || port == "0" {
		return "", fmt.Errorf("kitexext: SelfCall got the address %.80q, whose port is not known before the server listens: make the "+
			"listener with net.Listen, give it to server.WithListener, and its Addr to SelfCall", addr.String())
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.Unmap().IsUnspecified() {
		// Go's listeners on [::] answer IPv4, too, unless they are asked for tcp6.
		host = "127.0.0.1"
		if addr.Network() == "tcp6" {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port), nil
}
