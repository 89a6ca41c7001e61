package rig

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// childEnv names what a child is to do.
const childEnv = "MUSTER_BENCH_CHILD"

// Ops are what a child does on request: each takes the request's argument and returns its answer.
type Ops map[string]func(arg json.RawMessage) (any, error)

// Op makes an entry of Ops of a function with types.
func Op[A, R any](f func(A) (R, error)) func(json.RawMessage) (any, error) {
	return func(raw json.RawMessage) (any, error) {
		var a A
		if err := json.Unmarshal(raw, &a); err != nil {
			return nil, err
		}
		return f(a)
	}
}

type ask struct {
	Op  string
	Arg json.RawMessage
}

type answer struct {
	Value json.RawMessage
	Error string
}

// ServeChild must be called first in main: in a child it answers its parent until that closes the pipe, and does not
// return.
func ServeChild(kinds map[string]func() Ops) {
	kind := os.Getenv(childEnv)
	if kind == "" {
		return
	}
	// What a library prints must not come between the answers.
	out := os.Stdout
	os.Stdout = os.Stderr
	make, ok := kinds[kind]
	if !ok {
		fmt.Fprintf(os.Stderr, "no child is called %q\n", kind)
		os.Exit(2)
	}
	ops, in, enc := make(), json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(out)
	for {
		var q ask
		if err := in.Decode(&q); err != nil {
			os.Exit(0) // the parent has ended, however that came
		}
		if err := enc.Encode(respond(ops, q)); err != nil {
			os.Exit(1)
		}
	}
}

func respond(ops Ops, q ask) answer {
	op, ok := ops[q.Op]
	if !ok {
		return answer{Error: fmt.Sprintf("no operation is called %q", q.Op)}
	}
	v, err := op(q.Arg)
	if err != nil {
		return answer{Error: err.Error()}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Value: b}
}

// Child is this program in another process.
type Child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	enc *json.Encoder
	dec *json.Decoder
}

// Start starts a child, with these variables beside the environment.
func (r *Rig) Start(kind string, env ...string) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &Child{cmd: exec.Command(self)}
	// clientv3 is to keep to itself what it tries again: registry-etcd leaves its log as it is.
	c.cmd.Env = append(append(os.Environ(), childEnv+"="+kind, "ETCD_CLIENT_DEBUG=fatal"), env...)
	c.cmd.Stderr = os.Stderr
	c.cmd.SysProcAttr = dieWithParent()
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.on(c.cmd.Start); err != nil {
		return nil, err
	}
	c.enc, c.dec = json.NewEncoder(c.in), json.NewDecoder(bufio.NewReader(out))
	r.Defer(c.Kill)
	return c, nil
}

// Kill ends the child and waits for it. Calling it again does nothing.
func (c *Child) Kill() {
	if c.cmd.ProcessState == nil {
		_ = c.in.Close()
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	}
}

// Ask has the child do something and reads its answer into into, unless that is nil. One goroutine asks at a time.
func (c *Child) Ask(op string, arg, into any) error {
	raw, err := json.Marshal(arg)
	if err != nil {
		return err
	}
	var a answer
	if err := errors.Join(c.enc.Encode(ask{op, raw}), c.dec.Decode(&a)); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if a.Error != "" {
		return fmt.Errorf("%s: %s", op, a.Error)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(a.Value, into)
}

// Abort ends a child that somebody else is waiting for.
func (c *Child) Abort() { _ = c.cmd.Process.Kill() }
