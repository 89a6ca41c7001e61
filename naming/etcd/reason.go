package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// reasonTimeout bounds a call that is expected to fail without leaving the process.
const reasonTimeout = time.Second

// reason returns why there is no connection, or nil if there is one by now. gRPC tells it to nobody but a call that does
// not wait for a connection: that one fails at once, with the last attempt's error.
func (c *connection) reason(conn grpc.ClientConnInterface) error {
	ctx, cancel := context.WithTimeout(c.ctx, reasonTimeout)
	defer cancel()
	_, err := pb.NewMaintenanceClient(conn).Status(ctx, &pb.StatusRequest{})
	switch status.Code(err) {
	case codes.Unavailable:
		return plain(err)
	case codes.DeadlineExceeded:
		return errors.New("no answer in time")
	}
	return nil // etcd has answered, whatever it said
}

// explain adds why etcd does not answer to the error of a call that has waited for it in vain.
func (c *connection) explain(err error) error {
	if err == nil {
		return nil
	}
	l := c.sight.link.Load()
	if l == nil || l.Up || l.Err == nil || errors.Is(err, l.Err) || strings.Contains(err.Error(), l.Err.Error()) {
		return err
	}
	return fmt.Errorf("%w (etcd does not answer: %w)", err, l.Err)
}

// plain takes off what gRPC wraps around the error of a connection, which says the same thing up to four times.
func plain(err error) error {
	s, ok := status.FromError(err)
	if !ok || s.Code() != codes.Unavailable {
		return err
	}
	text := s.Message()
	for _, wrap := range []string{"last connection error: ", "connection error: ", `desc = "transport: `, `desc = "`} {
		if i := strings.LastIndex(text, wrap); i >= 0 {
			text = text[i+len(wrap):]
		}
	}
	text = strings.ReplaceAll(strings.TrimSuffix(text, `"`), `\"`, `"`)
	text = strings.TrimPrefix(text, "Error while dialing: ")
	if text == "" {
		return err
	}
	return &unreachable{text: text, err: err}
}

// unreachable is the error of a connection, in its own words.
type unreachable struct {
	text string
	err  error
}

func (u *unreachable) Error() string { return u.text }
func (u *unreachable) Unwrap() error { return u.err }
