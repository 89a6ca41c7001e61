//go:build unix

package muster_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/etcdtest"
)

// TestDeregisterIsBoundedWhateverEtcdDoes: a process that has to end does not wait for an etcd that has gone, or hangs.
func TestDeregisterIsBoundedWhateverEtcdDoes(t *testing.T) {
	const delay = 100 * time.Millisecond
	for name, fault := range map[string]func(*etcdtest.Process) error{
		"killed": func(p *etcdtest.Process) error { p.Kill(); return nil },
		"frozen": func(p *etcdtest.Process) error { return p.Signal(syscall.SIGSTOP) },
	} {
		t.Run(name, func(t *testing.T) {
			node := etcdtest.StartProcess(t)
			t.Setenv("MUSTER_ETCD_ENDPOINTS", node.Endpoint())
			t.Setenv("MUSTER_DRAIN_DELAY", delay.String())
			m := fromEnv(t)
			r := register(t, m)
			if err := fault(node); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			err := r.Deregister()
			if took := time.Since(begin); took < delay || took > delay+3*time.Second {
				t.Errorf("took %v, want from %v to 3s more", took, delay)
			}
			if err == nil || !strings.Contains(err.Error(), "without an answer of the registry") {
				t.Errorf("err = %v", err)
			}
		})
	}
}
