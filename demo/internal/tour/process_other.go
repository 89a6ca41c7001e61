//go:build !linux

package tour

import "syscall"

// childAttr would keep a terminal's Ctrl-C from the children; the fields for it differ between systems. A child that gets
// the signal too drains a little earlier.
func childAttr() *syscall.SysProcAttr { return nil }
