package tour

import "syscall"

// childAttr keeps a terminal's Ctrl-C from the children, which the tour ends itself and in order; and has the kernel kill
// them where it can't.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
