package naming

import (
	"errors"
	"fmt"
)

var errLabel = errors.New("want a DNS-1123 label: 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit")

var (
	// ErrProtected is returned where a protected namespace would be entered without confirmation.
	ErrProtected = errors.New("naming: not confirmed")

	// ErrInvalid is returned for an instance, service name or address that can't be registered. Trying again does not help.
	ErrInvalid = errors.New("naming: invalid")

	// ErrLost ends a membership whose lease is gone: it expired, was revoked, or the registry lost its data. Join again.
	ErrLost = errors.New("naming: lease lost")

	// ErrLeft ends a membership by its own Leave, or by the driver's Close.
	ErrLeft = errors.New("naming: left")

	// ErrClosed is returned by a driver after its Close.
	ErrClosed = errors.New("naming: closed")
)

// TakenError says that another live instance holds the address. It ends a membership whose address was claimed by a later
// one, and answers a Claim with Again set while the other one lives.
type TakenError struct {
	Service, Addr string
	// By is the holder's instance id, or "a stranger" where it has none.
	By string
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("naming: %s of %s is held by %s: two live processes advertise one address; stop one of them or set another MUSTER_ADVERTISE_ADDR",
		e.Addr, e.Service, e.By)
}
