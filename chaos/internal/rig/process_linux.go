package rig

import "syscall"

// childAttr has the kernel kill a child whose parent was killed.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
