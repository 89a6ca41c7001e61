package tour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/muster-go/muster/demo/internal/etcdnode"
	"github.com/muster-go/muster/demo/internal/logging"
	"github.com/muster-go/muster/demo/internal/ordersvc"
	"github.com/muster-go/muster/demo/internal/rpc"
	"github.com/muster-go/muster/demo/internal/service"
	"github.com/muster-go/muster/demo/internal/usersvc"
)

// leaseTTL is shorter than the default of 10 s, so that the tour need not wait so long where a lease has to run out.
const leaseTTL = 3 * time.Second

// world is everything that the tour runs: one etcd, two databases, and the instances, each with a Redis of its own.
type world struct {
	dir      string
	starter  *starter
	etcdAddr string
	peerAddr string
	etcd     *process
	reg      *registry

	mu        sync.Mutex
	instances []*instance // in the order of their start
}

// instance is one process of a service.
type instance struct {
	*process
	service         string
	rpcAddr, webURL string
	key             string // where it is listed in etcd
	redis           *miniredis.Miniredis
}

// Child runs what the tour starts as its child processes. It returns false where the command is none of them.
func Child(args []string) (code int, ok bool) {
	if len(args) == 0 {
		return 0, false
	}
	switch args[0] {
	case rpc.UserService:
		return service.Main(args[0], usersvc.Run), true
	case rpc.OrderService:
		return service.Main(args[0], ordersvc.Run), true
	case "etcd":
		return service.Main(args[0], func(ctx context.Context, log *slog.Logger) error {
			if len(args) != 4 {
				return errors.New("want: etcd <data folder> <client address> <peer address>")
			}
			return etcdnode.Run(ctx, args[1], args[2], args[3], log)
		}), true
	}
	return 0, false
}

// newWorld starts etcd, and nothing else yet.
func newWorld(ctx context.Context) (_ *world, err error) {
	// The tour is a world of its own: what the shell's environment says of another one must not reach into it.
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		for _, p := range []string{"MUSTER_", "DEMO_", "KITEX_"} {
			if strings.HasPrefix(name, p) {
				_ = os.Unsetenv(name)
			}
		}
	}
	logging.Setup(io.Discard, "tour") // what Muster says in here, the tour shows in its own words

	w := &world{starter: newStarter()}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.dir, err = os.MkdirTemp("", "muster-tour-"); err != nil {
		return nil, err
	}
	if w.etcdAddr, err = freeAddr(); err != nil {
		return nil, err
	}
	if w.peerAddr, err = freeAddr(); err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"MUSTER_ETCD_ENDPOINTS": w.etcdAddr, "MUSTER_LEASE_TTL": leaseTTL.String()} {
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	if err := w.startEtcd(ctx); err != nil {
		return nil, err
	}
	w.reg, err = watchRegistry(context.WithoutCancel(ctx), w.etcdAddr)
	return w, err
}

// freeAddr returns an address that nobody listens on. Another program could take it before the tour does; then etcd says
// so and the tour ends.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// startEtcd starts etcd, or starts it again with the data that it had, and waits until it answers.
func (w *world) startEtcd(ctx context.Context) (err error) {
	w.etcd, err = w.starter.start("etcd", nil, "etcd", w.etcdDir(), w.etcdAddr, w.peerAddr)
	if err != nil {
		return err
	}
	_, err = w.etcd.await(ctx, "etcd", func(l line) bool { return l.Msg == "listening" })
	return err
}

func (w *world) etcdDir() string { return filepath.Join(w.dir, "etcd") }

// killEtcd ends etcd as a power cut would.
func (w *world) killEtcd(ctx context.Context) error {
	w.etcd.signal(syscall.SIGKILL)
	_, err := w.etcd.wait(ctx)
	return err
}

// start starts an instance and waits until it listens; it is not in the registry then. Instances of one service share a
// database file, and each has a Redis of its own, to be broken.
func (w *world) start(ctx context.Context, namespace, name, service string) (*instance, error) {
	i := &instance{service: service, redis: miniredis.NewMiniRedis()}
	i.redis.ClockTTL(true)
	if err := i.redis.Start(); err != nil {
		return nil, fmt.Errorf("%s: Redis: %w", name, err)
	}
	env := []string{
		"MUSTER_NAMESPACE=" + namespace,
		"DEMO_RPC_ADDR=127.0.0.1:0", "DEMO_HTTP_ADDR=127.0.0.1:0",
		"DEMO_DB_DSN=" + filepath.Join(w.dir, service+".db"),
		"DEMO_REDIS_ADDR=" + i.redis.Addr(),
	}
	p, err := w.starter.start(name, env, service)
	if err != nil {
		i.redis.Close()
		return nil, err
	}
	i.process = p
	w.mu.Lock()
	w.instances = append(w.instances, i)
	w.mu.Unlock()
	l, err := p.await(ctx, "its addresses", func(l line) bool { return l.Msg == "listening" })
	if err != nil {
		return nil, err
	}
	i.rpcAddr, i.webURL = l.attr("rpc"), "http://"+l.attr("http")
	i.key = servingKey(namespace, service, i.rpcAddr)
	return i, nil
}

// close ends everything, the instances before etcd, and removes what the tour wrote.
func (w *world) close() {
	w.starter.stop(8*time.Second, func(p *process) bool { return p != w.etcd })
	w.starter.stop(0, func(*process) bool { return true }) // etcd has nobody to say goodbye to
	w.starter.close()
	for _, i := range w.instances {
		i.redis.Close()
	}
	if w.reg != nil {
		w.reg.close()
	}
	if w.dir != "" {
		_ = os.RemoveAll(w.dir)
	}
}
