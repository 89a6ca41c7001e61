package kitexext

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	streamsvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echostream"
)

// streamer sends one message, and the next one when it is told to go on.
type streamer struct {
	name string
	goOn chan struct{}
}

func (s *streamer) Follow(req *echo.Request, stream echo.EchoStream_FollowServer) error {
	for {
		if err := stream.Send(&echo.Response{Message: req.Message, ServedBy: s.name}); err != nil {
			return err
		}
		if _, more := <-s.goOn; !more {
			return nil
		}
	}
}

// TestStreams: a stream is opened on an instance of the latest view. One that is open lives on where it is, also when its
// instance has left the registry, which is what a drain is for.
func TestStreams(t *testing.T) {
	first, addr := serveStream(t, "first")
	second, other := serveStream(t, "second")
	w := newWorld(t.Name())
	w.set("echo", at(addr))
	pushed := newPushes()
	cli, err := streamsvc.NewStreamClient("echo", WithStreamResolver(openCatalog(t, w), pushed.option()))
	if err != nil {
		t.Fatal(err)
	}
	open := func() streamsvc.EchoStream_FollowClient {
		t.Helper()
		s, err := cli.Follow(t.Context(), &echo.Request{Message: "hello"})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	from := func(s streamsvc.EchoStream_FollowClient) string {
		t.Helper()
		r, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return r.ServedBy
	}
	old := open()
	if got := from(old); got != "first" {
		t.Fatalf("the stream is with %s", got)
	}

	w.set("echo", at(other))
	pushed.wait(t, 1)
	young := open()
	if got := from(young); got != "second" {
		t.Errorf("after the change a stream was opened on %s", got)
	}
	first.goOn <- struct{}{}
	if got := from(old); got != "first" {
		t.Errorf("the open stream went on with %s", got)
	}
	close(first.goOn)
	close(second.goOn)
	for _, s := range []streamsvc.EchoStream_FollowClient{old, young} {
		if _, err := s.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("the stream's end: %v", err)
		}
	}
	w.set("echo")
	pushed.wait(t, 0)
	if _, err := cli.Follow(t.Context(), &echo.Request{Message: "hello"}); err == nil {
		t.Error("a stream was opened though every instance has left")
	}
}

func serveStream(t *testing.T, name string) (s *streamer, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &streamer{name: name, goOn: make(chan struct{})}
	svr := streamsvc.NewServer(s, server.WithListener(ln), server.WithExitSignal(func() <-chan error { return nil }))
	ended := make(chan error, 1)
	go func() { ended <- svr.Run() }()
	running.mu.Lock()
	defer running.mu.Unlock()
	running.stops = append(running.stops, func() {
		_ = svr.Stop()
		<-ended
	})
	return s, ln.Addr().String()
}
