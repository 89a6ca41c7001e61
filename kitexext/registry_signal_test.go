package kitexext

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudwego/kitex/client/callopt"
	"github.com/cloudwego/kitex/pkg/utils"
	"github.com/cloudwego/kitex/server"

	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
)

func hostPort(addr string) callopt.Option { return callopt.WithHostPort(addr) }

func sayTo(tb testing.TB, cli echosvc.Client, addr string) (string, error) {
	tb.Helper()
	return say(tb, cli, hostPort(addr))
}

// peek shows the options of a server.
func peek(to **server.Options) server.Option {
	return server.Option{F: func(o *server.Options, _ *utils.Slice) { *to = o }}
}

const childVariable = "MUSTER_TEST_SERVE"

// A SIGTERM 100 ms after the start, before Kitex has registered, ends the process cleanly, with status 0.
func TestSIGTERMInTheFirstSecond(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		serveAsChild(t)
		return
	}
	if runtime.GOOS == "windows" {
		t.Skip("no SIGTERM there")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSIGTERMInTheFirstSecond$")
	cmd.Env = append(os.Environ(), childVariable+"=1")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "starting" {
	}
	var text []string
	ended := make(chan error, 1)
	go func() {
		for lines.Scan() {
			text = append(text, lines.Text())
		}
		ended <- cmd.Wait()
	}()
	// Kitex asks for signals a moment after it begins to listen, so one may come too early for it: repeat.
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = cmd.Process.Signal(syscall.SIGTERM)
			continue
		case err := <-ended:
			var after string
			for _, line := range text {
				_, _ = fmt.Sscanf(line, "Run returned <nil> after %s", &after)
			}
			if took, bad := time.ParseDuration(after); err != nil || bad != nil || took > time.Second {
				t.Errorf("ended with %v\n%s\n%s", err, strings.Join(text, "\n"), errs.String())
			}
		case <-time.After(10 * time.Second):
			t.Error("the process does not end")
		}
		return
	}
}

// serveAsChild runs a server until a signal ends it.
func serveAsChild(t *testing.T) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM) // one that comes before Kitex asks for it must not kill
	p := newProcess(t)
	svr := echosvc.NewServer(&echoServer{"child"}, WithRegistry(p.gate, Service("echo")),
		server.WithServiceAddr(utils.NewNetAddr("tcp", "127.0.0.1:0")))
	fmt.Fprintln(os.Stdout, "starting")
	begin := time.Now()
	err := svr.Run()
	fmt.Fprintf(os.Stdout, "Run returned %v after %v\n", err, time.Since(begin))
	if err := p.gate.Close(); err != nil {
		t.Error(err)
	}
}
