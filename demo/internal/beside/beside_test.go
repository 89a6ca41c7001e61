package beside

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	hertz "github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/klog"
	"github.com/cloudwego/kitex/pkg/registry"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
	"github.com/cloudwego/kitex/server"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/demo/kitex_gen/user"
	"github.com/muster-go/muster/demo/kitex_gen/user/userservice"
)

const childEnv = "BESIDE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		waitForSignals()
		return
	}
	klog.SetLevel(klog.LevelFatal)
	hlog.SetLevel(hlog.LevelFatal)
	var theirs []goleak.Option // what the frameworks keep for the whole process
	for _, f := range []string{
		"github.com/cloudwego/netpoll.(*defaultPoll).Wait",
		"github.com/cloudwego/kitex/client.(*timeoutPool).createTicker.func1",
		"github.com/cloudwego/kitex/client.(*timeoutPool).createWorker.func1",
		"github.com/cloudwego/kitex/pkg/loadbalance/lbcache.(*BalancerFactory).watcher",
		"github.com/cloudwego/kitex/pkg/utils.(*SharedTicker).Tick",
		"github.com/cloudwego/hertz/pkg/protocol.UpdateServerDate.func1",
	} {
		theirs = append(theirs, goleak.IgnoreAnyFunction(f))
	}
	goleak.VerifyTestMain(m, theirs...)
}

// waitForSignals is a program that never stops by itself after the first signal.
func waitForSignals() {
	ctx, cancel := Signals()
	defer cancel()
	fmt.Fprintln(os.Stdout, "ready")
	<-ctx.Done()
	fmt.Fprintln(os.Stdout, "first")
	select {}
}

type impl struct{ entered, leave chan struct{} }

func (i *impl) GetUser(context.Context, *user.GetUserRequest) (*user.GetUserResponse, error) {
	if i.entered != nil {
		i.entered <- struct{}{}
		<-i.leave
	}
	return &user.GetUserResponse{User: &user.User{Id: 1}}, nil
}

// drain is a registry whose Deregister takes as long as the test likes.
type drain struct{ began, end chan struct{} }

func (drain) Register(*registry.Info) error     { return nil }
func (d drain) Deregister(*registry.Info) error { close(d.began); <-d.end; return nil }

type rig struct {
	cancel   context.CancelFunc
	rpc, web string
	drain    drain
	done     chan error
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func run(t *testing.T, i *impl) *rig {
	t.Helper()
	r := &rig{drain: drain{make(chan struct{}), make(chan struct{})}, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	pair := New(ctx)
	rpcLn, webLn := listen(t), listen(t)
	r.rpc, r.web = rpcLn.Addr().String(), "http://"+webLn.Addr().String()
	svr := userservice.NewServer(i, server.WithListener(rpcLn), pair.Exit(), server.WithRegistry(r.drain),
		server.WithServerBasicInfo(&rpcinfo.EndpointBasicInfo{ServiceName: "user-svc"}))
	h := hertz.New(hertz.WithListener(webLn))
	h.GET("/", func(_ context.Context, c *app.RequestContext) { c.String(http.StatusOK, "here") })
	go func() { r.done <- pair.Run(svr, h) }()
	return r
}

func (r *rig) get(t *testing.T) {
	t.Helper()
	c := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(r.web)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "here" {
		t.Fatalf("GET: %q, %v", b, err)
	}
}

func (r *rig) client(t *testing.T) userservice.Client {
	t.Helper()
	c, err := userservice.NewClient("user-svc", client.WithHostPorts(r.rpc), client.WithRPCTimeout(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func await[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: not within 20 s", what)
	}
	return v
}

// While Kitex deregisters, which is the drain, both servers answer; a call in flight is finished before Hertz stops.
func TestOrder(t *testing.T) {
	i := &impl{make(chan struct{}), make(chan struct{})}
	r := run(t, i)
	r.get(t)
	c := r.client(t)

	r.cancel()
	await(t, r.drain.began, "Deregister")
	r.get(t)
	inFlight := make(chan error, 1)
	go func() {
		_, err := c.GetUser(context.Background(), &user.GetUserRequest{Id: 1})
		inFlight <- err
	}()
	await(t, i.entered, "a call while draining")
	select {
	case err := <-r.done:
		t.Fatalf("Run returned %v in the middle of the drain", err)
	default:
	}
	close(r.drain.end)
	r.get(t) // Kitex waits for the call in flight, and Hertz for Kitex
	close(i.leave)
	if err := await(t, inFlight, "the call in flight"); err != nil {
		t.Errorf("the call in flight: %v", err)
	}
	if err := await(t, r.done, "Run"); err != nil {
		t.Fatalf("Run: %v", err)
	}
	for _, addr := range []string{r.rpc, strings.TrimPrefix(r.web, "http://")} {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			t.Errorf("%s still accepts connections", addr)
		}
	}
}

func TestServerFails(t *testing.T) {
	for _, which := range []string{"kitex", "hertz"} {
		t.Run(which, func(t *testing.T) {
			pair := New(t.Context())
			rpcLn := listen(t)
			svr := userservice.NewServer(&impl{}, server.WithListener(rpcLn), pair.Exit())
			h := hertz.New(hertz.WithListener(listen(t)))
			if which == "kitex" {
				rpcLn.Close()
			} else {
				c := (&rig{rpc: rpcLn.Addr().String()}).client(t)
				h.OnRun = append(h.OnRun, func(ctx context.Context) error {
					if _, err := c.GetUser(ctx, &user.GetUserRequest{}); err != nil { // Kitex is up by now
						t.Error(err)
					}
					return errors.New("broken")
				})
			}
			done := make(chan error, 1)
			go func() { done <- pair.Run(svr, h) }()
			err := await(t, done, "Run")
			if err == nil || !strings.Contains(err.Error(), which) {
				t.Fatalf("Run = %v, want an error of %s", err, which)
			}
		})
	}
}

func TestStoppedBeforeItBegan(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(ctx).Run(nil, nil); err != nil {
		t.Fatalf("Run = %v", err)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	lines := bufio.NewScanner(out)
	for _, want := range []string{"ready", "first"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("read %q, %v; want %q", lines.Text(), lines.Err(), want)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	_ = await(t, done, "the end of the process")
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !ws.Signaled() || ws.Signal() != syscall.SIGTERM {
		t.Fatalf("ended with %v, want by the second SIGTERM", cmd.ProcessState)
	}
}
