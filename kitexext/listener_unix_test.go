//go:build unix

package kitexext

import "syscall"

// shut makes a socket accept nobody any more, and keeps its descriptor.
func shut(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_RDWR) }
