package etcdtest

import "syscall"

// dieWithParent has the kernel kill a node whose parent was killed.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
