//go:build unix

package rig

import "syscall"

// Freeze stops the child where it is, and Thaw lets it run on.
func (c *Child) Freeze() error { return c.cmd.Process.Signal(syscall.SIGSTOP) }
func (c *Child) Thaw() error   { return c.cmd.Process.Signal(syscall.SIGCONT) }
