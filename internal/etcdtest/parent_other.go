//go:build !linux

package etcdtest

import "syscall"

// dieWithParent is left to the node's standard input, which ends with its parent.
func dieWithParent() *syscall.SysProcAttr { return nil }
