//go:build !linux

package rig

import "syscall"

// dieWithParent is left to the child's standard input, which ends with its parent.
func dieWithParent() *syscall.SysProcAttr { return nil }
