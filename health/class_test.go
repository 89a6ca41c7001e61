package health

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
)

type pgError struct{ state string }

func (e *pgError) Error() string    { return "pg" }
func (e *pgError) SQLState() string { return e.state }

type slowError struct{ slow bool }

func (e slowError) Error() string { return "driver" }
func (e slowError) Timeout() bool { return e.slow }

func TestClassify(t *testing.T) {
	t.Parallel()
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for _, c := range []struct {
		err  error
		want Class
	}{
		{nil, ""},
		{context.DeadlineExceeded, ClassTimeout},
		{fmt.Errorf("query: %w", context.DeadlineExceeded), ClassTimeout},
		{os.ErrDeadlineExceeded, ClassTimeout},
		{dial(os.NewSyscallError("connect", syscall.ETIMEDOUT)), ClassTimeout},
		{slowError{true}, ClassTimeout},
		{slowError{false}, ClassOther},
		{errors.New("redis: connection pool timeout"), ClassTimeout},
		{context.Canceled, ClassCanceled},
		{dial(context.Canceled), ClassCanceled},
		{&net.DNSError{Err: "no such host", Name: "db"}, ClassDNS},
		{dial(&net.DNSError{Err: "i/o timeout", Name: "db", IsTimeout: true}), ClassDNS},
		{dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), ClassRefused},
		{dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), ClassRefused},
		{dial(os.NewSyscallError("connect", syscall.ENOENT)), ClassRefused},
		{syscall.ECONNREFUSED, ClassRefused},
		{&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, ClassOther},
		{&statusError{401}, ClassAuth},
		{&statusError{403}, ClassAuth},
		{&statusError{500}, ClassOther},
		{&pgError{"28P01"}, ClassAuth},
		{&pgError{"42P01"}, ClassOther},
		{x509.UnknownAuthorityError{}, ClassAuth},
		{errors.New("NOAUTH Authentication required."), ClassAuth},
		{errors.New("WRONGPASS invalid username-password pair"), ClassAuth},
		{errors.New("Error 1045 (28000): Access denied for user 'x'@'h' (using password: YES)"), ClassAuth},
		{errors.New("table Error 1045 is empty"), ClassOther},
		{Degraded(context.DeadlineExceeded), ClassTimeout},
		{errors.New("boom"), ClassOther},
	} {
		if got := Classify(c.err); got != c.want {
			t.Errorf("Classify(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}
