package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// Class is the little that a stranger may know of an error.
type Class string

const (
	// ClassTimeout: it took too long.
	ClassTimeout Class = "timeout"
	// ClassRefused: no connection could be made.
	ClassRefused Class = "refused"
	// ClassAuth: credentials or certificates were not accepted.
	ClassAuth Class = "auth"
	// ClassDNS: the name was not resolved.
	ClassDNS Class = "dns"
	// ClassCanceled: the check was called off.
	ClassCanceled Class = "canceled"
	// ClassOther: anything else.
	ClassOther Class = "other"
)

// Classify returns the class of an error, and "" for nil. It looks at what the error is (contexts, the net package's
// errors, system calls, TLS, SQL states); texts decide only where a common driver has nothing else.
func Classify(err error) Class {
	var (
		dns  *net.DNSError
		op   *net.OpError
		slow interface{ Timeout() bool }
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &dns):
		return ClassDNS
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.Is(err, syscall.ETIMEDOUT), errors.As(err, &slow) && slow.Timeout():
		return ClassTimeout
	case errors.Is(err, context.Canceled):
		return ClassCanceled
	case refusesCredentials(err):
		return ClassAuth
	case errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &op) && op.Op == "dial":
		return ClassRefused
	}
	return classifyText(err.Error())
}

func refusesCredentials(err error) bool {
	var (
		status *statusError
		chain  *tls.CertificateVerificationError
		signer x509.UnknownAuthorityError
		host   x509.HostnameError
		state  interface{ SQLState() string } // PostgreSQL's drivers
	)
	switch {
	case errors.As(err, &status):
		return status.code == http.StatusUnauthorized || status.code == http.StatusForbidden
	case errors.As(err, &state):
		return strings.HasPrefix(state.SQLState(), "28") // invalid authorization specification
	}
	return errors.As(err, &chain) || errors.As(err, &signer) || errors.As(err, &host)
}

// classifyText knows the texts of drivers whose errors are of no telling type.
func classifyText(s string) Class {
	switch {
	case strings.HasPrefix(s, "NOAUTH "), strings.HasPrefix(s, "WRONGPASS "), strings.HasPrefix(s, "NOPERM "), // Redis
		strings.HasPrefix(s, "Error 1045 "), strings.HasPrefix(s, "Error 1044 "), strings.HasPrefix(s, "Error 1698 "): // MySQL
		return ClassAuth
	case s == "redis: connection pool timeout":
		return ClassTimeout
	}
	return ClassOther
}
