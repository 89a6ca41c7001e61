//go:build !linux

package rig

import "syscall"

// childAttr is left to the child's standard input, which ends with its parent.
func childAttr() *syscall.SysProcAttr { return nil }
