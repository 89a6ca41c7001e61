package tour

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/muster-go/muster/demo/internal/rpc"
)

// kept is how many calls the ledger remembers while the tour stays.
const kept = 10_000

// stay leaves all running until ctx ends, and tells what can be tried.
func (t *tour) stay(ctx context.Context) error {
	t.ledger.keep(kept)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /redis/{name}/stop", t.onRedis(func(i *instance) error { i.redis.Close(); return nil }))
	mux.HandleFunc("POST /redis/{name}/start", t.onRedis(func(i *instance) error { return i.redis.Restart() }))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	defer func() { _ = srv.Close(); <-done }()

	fmt.Fprintf(t.w, "\nAll of it stays until Ctrl-C. Try:\n")
	for _, i := range slices.SortedFunc(slices.Values(t.instances), func(a, b *instance) int { return strings.Compare(a.name, b.name) }) {
		if i.ended() {
			continue
		}
		path := "/users/7"
		if i.service == rpc.OrderService {
			path = "/orders/7"
		}
		fmt.Fprintf(t.w, "  %-14s pid %-8d curl %s%s   curl -i '%s/healthz?verbose'\n", i.name, i.cmd.Process.Pid, i.webURL, path, i.webURL)
	}
	fmt.Fprintf(t.w, "  %-14s curl -X POST http://%[2]s/redis/user-1/stop   curl -X POST http://%[2]s/redis/user-1/start\n", "break and heal", ln.Addr())
	fmt.Fprintf(t.w, "  %-14s MUSTER_ETCD_ENDPOINTS=%s go run ./demo/user-svc\n", "one more", t.etcdAddr)
	<-ctx.Done()
	n := t.ledger.since(0)
	fmt.Fprintf(t.w, "\n%s of the last calls failed; stopping all\n", n)
	return nil
}

func (t *tour) onRedis(do func(*instance) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		i, err := t.named(r.PathValue("name"))
		if err == nil {
			err = do(i)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, "done")
	}
}
