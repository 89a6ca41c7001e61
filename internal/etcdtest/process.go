package etcdtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// nodeEnv carries a node's options to the process that runs it.
const nodeEnv = "MUSTER_ETCDTEST_NODE"

// Main must be called first in TestMain, or main, of a program that starts processes: the same program run again becomes
// the node, and Main does not return then.
func Main() {
	text := os.Getenv(nodeEnv)
	if text == "" {
		return
	}
	if err := serve(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(text string) error {
	var o Options
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	e, err := Run(o)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent, however that ends
		close(gone)
	}()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-gone:
	case <-stop:
	case err := <-e.Err():
		return err
	}
	e.Server.HardStop() // its data need no care: nothing is synced to disk in tests anyhow
	return nil
}

// Process is an etcd server in a process of its own. It keeps its port and data over Kill and Start.
type Process struct {
	opts   Options
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout io.Reader
}

// StartProcess runs a node in a process of its own until the test ends. TestMain must call Main. Tuning can't edit the
// server's configuration otherwise than by the options.
func StartProcess(t testing.TB, tune ...func(*Options)) *Process {
	t.Helper()
	ports, err := FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: t.TempDir(), ClientPort: ports[0], PeerPort: ports[1]}
	for _, f := range tune {
		f(&o)
	}
	p := NewProcess(o)
	t.Cleanup(p.Kill)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// NewProcess returns a node that has not been started. Its options must name a directory and both ports, and can't edit
// the configuration.
func NewProcess(o Options) *Process { return &Process{opts: o} }

// Endpoint returns the node's client address, host:port.
func (p *Process) Endpoint() string { return fmt.Sprintf("127.0.0.1:%d", p.opts.ClientPort) }

// Start starts the node with the data it has, and waits until it serves.
func (p *Process) Start() error {
	if err := p.Begin(); err != nil {
		return err
	}
	return p.Ready()
}

// Begin starts the node and returns at once: the first members of a cluster serve only when a majority of them runs. On
// Linux it should be called from a thread that lives as long as the nodes are to, since the kernel kills them with it.
func (p *Process) Begin() error {
	text, err := json.Marshal(p.opts)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), nodeEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = dieWithParent()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.stdin, p.stdout = cmd, stdin, stdout
	return nil
}

// Ready waits until a node that was begun serves.
func (p *Process) Ready() error {
	cmd := p.cmd
	late := time.AfterFunc(readyTimeout, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	if line, err := bufio.NewReader(p.stdout).ReadString('\n'); err != nil {
		p.Kill()
		return fmt.Errorf("etcdtest: the node ended before it was ready: %q, %w", line, err)
	}
	return nil
}

// Kill ends the node with SIGKILL and waits for it. It does nothing where the node is not running.
func (p *Process) Kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = p.stdin.Close()
	p.cmd = nil
}

// Running reports whether the node has been started and not killed.
func (p *Process) Running() bool { return p.cmd != nil }

// Dir is where the node keeps its data.
func (p *Process) Dir() string { return p.opts.Dir }

// Signal sends the running node a signal, such as SIGSTOP.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Wipe gives a node that is not running an empty data directory.
func (p *Process) Wipe() error {
	if err := os.RemoveAll(p.opts.Dir); err != nil {
		return err
	}
	return os.MkdirAll(p.opts.Dir, 0o700)
}
