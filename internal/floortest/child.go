package floortest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// childEnv carries what a child process is to be.
const childEnv = "MUSTER_FLOORTEST_CHILD"

// childSpec is the part of a Spec that can be carried.
type childSpec struct {
	Endpoint, Addr, Floor string
	LeaseTTL              time.Duration
}

// Main must be called first in TestMain of a program that starts children, or etcd nodes as processes: the same program run
// again becomes one of them, and Main does not return then.
func Main() {
	etcdtest.Main()
	text := os.Getenv(childEnv)
	if text == "" {
		return
	}
	if err := serveChild(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serveChild is one instance that breaks when it reads a line, and ends with its standard input.
func serveChild(text string) error {
	var c childSpec
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	floor, err := naming.ParseFloor(c.Floor)
	if err != nil {
		return err
	}
	i, err := Open(Spec{Endpoint: c.Endpoint, Addr: c.Addr, Floor: floor, LeaseTTL: c.LeaseTTL})
	if err != nil {
		return err
	}
	defer i.Close()
	i.Monitor.Start()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		i.Dependency.Set(true)
	}
	return nil
}

// Child is an instance in a process of its own.
type Child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

// StartChild runs one until the test ends. TestMain must call Main.
func StartChild(t testing.TB, s Spec) *Child {
	t.Helper()
	text, err := json.Marshal(childSpec{s.Endpoint, s.Addr, s.Floor.String(), s.LeaseTTL})
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &Child{cmd: exec.Command(self)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Kill)
	return c
}

// Break breaks the child's dependency.
func (c *Child) Break(t testing.TB) {
	t.Helper()
	if _, err := fmt.Fprintln(c.in); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the child with SIGKILL and waits for it.
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}
