package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/internal/floortest"
	"github.com/muster-go/muster/naming"
)

// watching runs 'muster watch' in this process until stop, which returns its exit code.
func watching(t *testing.T, terminal bool, args ...string) (out, errs *stream, stop func() int) {
	t.Helper()
	out, errs = newStream(), newStream()
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, &app{out: out, err: errs, terminal: terminal}, append([]string{"watch"}, args...))
	}()
	return out, errs, func() int { cancel(); return <-code }
}

func TestWatchLines(t *testing.T) {
	node := floortest.StartNode(t)
	at(t, node.Endpoint())
	all, _ := fleet(t, node, 2, naming.Percent(50))
	out, errs, stop := watching(t, false, "user-svc")
	out.until(t, " there user-svc 10.0.0.1:8888 state=serving listed=yes failing=-")
	out.until(t, " there user-svc 10.0.0.2:8888 ")
	all[0].Dependency.Set(true)
	out.until(t, " changed user-svc 10.0.0.1:8888 state=withdrawn listed=no failing=db=failing")
	floortest.Run(t, floortest.Spec{Endpoint: node.Endpoint(), Addr: addr(3)})
	out.until(t, " joined user-svc 10.0.0.3:8888 ")
	command(t, "offline", "user-svc", addr(2), "--by", "bob").want(t, exitOK)
	out.until(t, " changed user-svc 10.0.0.2:8888 state=offline listed=no", `order="offline by bob"`)
	all[1].Close()
	text := out.until(t, " gone user-svc 10.0.0.2:8888")
	if code := stop(); code != exitOK {
		t.Errorf("exit code %d, stderr %q", code, errs.text)
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, "10.0.0.1") && strings.Contains(line, "state=serving listed=no") {
			t.Errorf("half a change is shown: %s", line)
		}
	}
}

func TestWatchJSON(t *testing.T) {
	node := floortest.StartNode(t)
	at(t, node.Endpoint())
	all, _ := fleet(t, node, 1, naming.Percent(50))
	out, _, stop := watching(t, true, "-o", "json") // a terminal makes no difference
	out.until(t, `"change":"there"`)
	all[0].Dependency.Set(true)
	text := out.until(t, `"state":"withdrawn"`)
	if code := stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var c change
		if err := d.Decode(&c); err != nil {
			t.Fatal(err)
		}
		if c.Service != "user-svc" || c.Address != addr(1) || c.Time.IsZero() || c.Revision == 0 {
			t.Errorf("%+v", c)
		}
	}
}

func TestWatchOnATerminal(t *testing.T) {
	node := floortest.StartNode(t)
	at(t, node.Endpoint())
	all, _ := fleet(t, node, 1, naming.Percent(50))
	out, _, stop := watching(t, true)
	out.until(t, "user-svc", addr(1), "serving", "yes")
	all[0].Dependency.Set(true)
	text := out.until(t, "user-svc", addr(1), "withdrawn", "no", "db=failing")
	out.until(t, "1 instances at revision", "Ctrl-C")
	if code := stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if n := strings.Count(text, "\x1b[H\x1b[2J"); n < 2 || n > 4 {
		t.Errorf("drawn %d times", n)
	}
}

// TestWatchGoesOn: it may start before etcd does, says so, and outlives a restart.
func TestWatchGoesOn(t *testing.T) {
	node := etcdtest.StartProcess(t)
	at(t, node.Endpoint())
	node.Kill()
	out, errs, stop := watching(t, false)
	errs.until(t, "etcd does not answer")
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	floortest.Run(t, floortest.Spec{Endpoint: node.Endpoint(), Addr: addr(1)})
	out.until(t, "10.0.0.1:8888 state=serving")
	node.Kill()
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	floortest.Run(t, floortest.Spec{Endpoint: node.Endpoint(), Addr: addr(2)})
	out.until(t, "10.0.0.2:8888 state=serving")
	if code := stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// TestCtrlC: the real program ends at once and well.
func TestCtrlC(t *testing.T) {
	node := floortest.StartNode(t)
	_, _ = fleet(t, node, 1, naming.Percent(50))
	out := newStream()
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], "watch")
	cmd.Env = append(os.Environ(), asCommand+"=1", "MUSTER_ETCD_ENDPOINTS="+node.Endpoint())
	cmd.Stdout, cmd.Stderr = out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.until(t, "10.0.0.1:8888 state=serving")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || errs.Len() > 0 {
		t.Errorf("%v, stderr %q", err, errs.String())
	}
}
