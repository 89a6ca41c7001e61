package kitexext

import (
	"net"
	"sync/atomic"
	"testing"

	"github.com/cloudwego/netpoll"
)

// listen returns a listener for a server that is stopped while other sockets are in use. A listener of netpoll's own closes
// its descriptor several times, once more 100 ms after the first time, and by then it may be somebody else's.
func listen(tb testing.TB) net.Listener {
	tb.Helper()
	ln, err := netpoll.CreateListener("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return &listenerOnce{Listener: ln}
}

// listenerOnce is one of netpoll's that shuts its socket down, and keeps the descriptor until the process ends.
type listenerOnce struct {
	netpoll.Listener
	closed atomic.Bool
}

func (l *listenerOnce) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	return shut(l.Fd())
}
