package etcd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// load calls an instance that d registers, as c finds it, all the time until it is stopped. Nothing of it may fail.
type load struct {
	done, failed atomic.Int64
	stop         func()
}

func startLoad(t *testing.T, d *Driver, c *catalog.Catalog) *load {
	t.Helper()
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { _, _ = io.Copy(conn, conn); _ = conn.Close() })
		}
	})
	m := join(t, d, naming.Claim{Instance: naming.Instance{Service: "echo-svc", Addr: echo.Addr().String(), ID: "echo"}})
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	sub, err := c.Subscribe("echo-svc")
	must(t, err)
	for v := (*catalog.View)(nil); v == nil || len(v.Instances) == 0; {
		select {
		case <-sub.Changed():
		case <-within(t).Done():
			t.Fatal("the catalog does not find it")
		}
		v, err = c.Lookup(within(t), "echo-svc")
		must(t, err)
	}
	l := new(load)
	stop := make(chan struct{})
	var calling sync.WaitGroup
	calling.Go(func() {
		pace := time.NewTicker(time.Millisecond) // more would run out of ports
		defer pace.Stop()
		for {
			select {
			case <-stop:
				return
			case <-pace.C:
			}
			if err := l.call(t, c); err != nil {
				l.failed.Add(1)
				t.Errorf("call %d: %v", l.done.Load(), err)
			}
			l.done.Add(1)
		}
	})
	l.stop = sync.OnceFunc(func() { close(stop); calling.Wait(); sub.Close(); _ = echo.Close(); wg.Wait() })
	t.Cleanup(l.stop)
	return l
}

// call looks the instance up and has it echo a word.
func (*load) call(t *testing.T, c *catalog.Catalog) error {
	t.Helper()
	v, err := c.Lookup(t.Context(), "echo-svc")
	if err != nil {
		return err
	}
	if len(v.Instances) != 1 {
		return fmt.Errorf("%d instances", len(v.Instances))
	}
	conn, err := net.DialTimeout("tcp", v.Instances[0].Addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	word := []byte("muster")
	if _, err := conn.Write(word); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, word)
	return err
}

// TestMutualTLSRotation runs operations one after another, while the client's certificate is replaced on disk and its
// connections are cut. None may fail. The server then refuses the old certificate, so that only the new one can be in use.
// Beside them, calls go on through a catalog whose connections are cut as well; these don't stop for a cut.
func TestMutualTLSRotation(t *testing.T) {
	t.Parallel()
	ca, id := etcdtest.NewAuthority(t), newIdentity(t)
	crl := filepath.Join(t.TempDir(), "revoked.crl")
	ca.Revoke(crl)
	ca.Issue(id.cert, id.key, "client", 10)
	node := etcdtest.Start(t, ca.Serve(crl))
	p := startProxy(t, node.Endpoint())
	d := newDriver(t, p.Addr().String(), withTLS(ca.CAFile, id))
	m := join(t, d, claim("user-svc", 1))
	updates := watched(t, newDriver(t, node.Endpoint(), withTLS(ca.CAFile, id)), "user-svc")

	finder, err := catalog.New(newDriver(t, p.Addr().String(), withTLS(ca.CAFile, id)), catalog.Options{
		Namespace: testNamespace(t, "dev"), FirstWait: patience, Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	defer finder.Close()
	calls := startLoad(t, d, finder)

	var pause sync.RWMutex // a cut must not fall into an operation: no etcd client can tell whether that one was done
	var wg sync.WaitGroup
	stop := make(chan struct{})
	failed := 0
	var done atomic.Int64
	progress := make(chan struct{}, 1)
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			pause.RLock()
			state := naming.Status{State: "serving", Version: string(rune('a' + done.Load()%4))}
			if err := m.Publish(within(t), state, false); err != nil {
				t.Errorf("publish: %v", err)
				failed++
			}
			if _, err := m.Census(within(t)); err != nil {
				t.Errorf("census: %v", err)
				failed++
			}
			done.Add(2)
			pause.RUnlock()
			select {
			case progress <- struct{}{}:
			default:
			}
		}
	})
	some := func() { // operations
		t.Helper()
		for until := done.Load() + 200; done.Load() < until; {
			select {
			case <-progress:
			case <-within(t).Done():
				t.Fatal("the operations don't go on")
			}
		}
	}
	cut := func(before func()) {
		pause.Lock()
		defer pause.Unlock()
		before()
		cutNoticed(t, p, d)
	}
	until(t, updates, "10.0.0.1:8888")
	next := newIdentity(t)
	ca.Issue(next.cert, next.key, "client", 11)
	some()
	copyFile(t, next.key, id.key)
	some()
	before := calls.done.Load()
	cut(func() {}) // half rotated: the new key does not fit the old certificate, which stays in use
	some()
	copyFile(t, next.cert, id.cert)
	some()
	cut(func() { ca.Revoke(crl, 10) })
	some()
	if n := calls.done.Load(); n == before {
		t.Error("no call was made around the cuts")
	}
	if v, err := finder.Lookup(within(t), "user-svc"); err != nil || len(v.Instances) != 1 { // a watch with the new certificate
		t.Errorf("the catalog finds %+v, %v", v, err)
	}
	close(stop)
	wg.Wait()
	calls.stop()
	must(t, m.Leave(within(t)))
	until(t, updates)
	t.Logf("%d operations, %d failed; %d calls, %d failed", done.Load(), failed, calls.done.Load(), calls.failed.Load())

	// The proof that the old one would have been refused.
	old := newIdentity(t)
	ca.Issue(old.cert, old.key, "client", 10)
	refused := newDriver(t, node.Endpoint(), withTLS(ca.CAFile, old))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := refused.Join(ctx, claim("user-svc", 2)); err == nil {
		t.Error("the revoked certificate was accepted")
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to+".new", b, 0o600))
	must(t, os.Rename(to+".new", to))
}

// TestRotatedAuthority: etcd comes back with a certificate of another authority, and the CA file has been replaced.
func TestRotatedAuthority(t *testing.T) {
	t.Parallel()
	before, after := etcdtest.NewAuthority(t), etcdtest.NewAuthority(t)
	id, ca := newIdentity(t), filepath.Join(t.TempDir(), "ca.pem")
	copyFile(t, before.CAFile, ca)
	before.Issue(id.cert, id.key, "client", 10)
	serveBefore, serveAfter := before.Serve(""), after.Serve("")
	rotated := false
	node := etcdtest.Start(t, func(c *embed.Config) {
		if rotated {
			serveAfter(c)
		} else {
			serveBefore(c)
		}
	})
	d := newDriver(t, node.Endpoint(), withTLS(ca, id), func(c *Config) { c.LeaseTTL = time.Minute })
	m := join(t, d, claim("user-svc", 1))
	node.Stop()
	rotated = true
	after.Issue(id.cert, id.key, "client", 20)
	copyFile(t, after.CAFile, ca)
	node.Start()
	awaitReady(t, d)
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	must(t, m.Leave(within(t)))
}
