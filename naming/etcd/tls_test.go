package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc/connectivity"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// identity is a client's certificate on disk.
type identity struct{ cert, key string }

func newIdentity(t *testing.T) identity {
	dir := t.TempDir()
	return identity{filepath.Join(dir, "client.pem"), filepath.Join(dir, "client-key.pem")}
}

func withTLS(ca string, id identity) func(*Config) {
	return func(c *Config) {
		c.Endpoints[0] = "https://" + c.Endpoints[0]
		c.CAFile, c.CertFile, c.KeyFile = ca, id.cert, id.key
	}
}

// proxy passes connections on to a node, and can cut them all.
type proxy struct {
	net.Listener
	to string
	wg sync.WaitGroup

	// mu guards everything that follows.
	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{Listener: l, to: to, open: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		in, err := p.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.mu.Lock()
		p.open[in], p.open[out] = true, true
		closed := p.closed
		p.mu.Unlock()
		if closed {
			p.cut()
		}
		for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
			p.wg.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_, _ = pair[0].Close(), pair[1].Close()
			})
		}
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
	clear(p.open)
}

// cutNoticed cuts a driver's connection, and returns once the driver has a new one.
func cutNoticed(t *testing.T, p *proxy, d *Driver) {
	t.Helper()
	h, err := d.conn.get(within(t))
	must(t, err)
	conn := h.cli.ActiveConnection()
	p.cut()
	if !conn.WaitForStateChange(within(t), connectivity.Ready) {
		t.Fatal("the cut is not noticed")
	}
	awaitReady(t, d)
}

func awaitReady(t *testing.T, d *Driver) {
	t.Helper()
	h, err := d.conn.get(within(t))
	must(t, err)
	conn := h.cli.ActiveConnection()
	for s := conn.GetState(); s != connectivity.Ready; s = conn.GetState() {
		if !conn.WaitForStateChange(within(t), s) {
			t.Fatalf("still %v", s)
		}
	}
}

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

// TestConnectionTroubleIsNamed: whatever keeps the driver from etcd is in the error of a call, and in the Link's, within 5 s.
func TestConnectionTroubleIsNamed(t *testing.T) {
	t.Parallel()
	ca, other, id, foreign := etcdtest.NewAuthority(t), etcdtest.NewAuthority(t), newIdentity(t), newIdentity(t)
	ca.Issue(id.cert, id.key, "client", 10)
	other.Issue(foreign.cert, foreign.key, "client", 10)
	secure, open := etcdtest.Start(t, ca.Serve("")), etcdtest.Start(t)
	ports, err := etcdtest.FreePorts(1)
	must(t, err)
	nobody := fmt.Sprintf("127.0.0.1:%d", ports[0])
	user := func(c *Config) { c.Username, c.Password = "dev", "hunter2" }
	plainText := func(*Config) {}
	// In TLS 1.3 a server refuses a client's certificate after the client has begun to talk: the reason can get lost.
	lost := []string{"broken pipe", "connection reset"}
	for _, c := range []struct {
		name, endpoint string
		edit           func(*Config)
		want           []string // any of these
	}{
		{"wrong CA", secure.Endpoint(), withTLS(other.CAFile, id), []string{"certificate signed by unknown authority", "certificate is not trusted"}},
		{"certificate of another authority", secure.Endpoint(), withTLS(ca.CAFile, foreign), append(slices.Clone(lost), "unknown certificate authority")},
		{"no certificate", secure.Endpoint(), withTLS(ca.CAFile, identity{}), append(slices.Clone(lost), "certificate required")},
		{"TLS to a plain port", open.Endpoint(), withTLS(ca.CAFile, id), []string{"may not speak TLS"}},
		{"plain text to a TLS port", secure.Endpoint(), plainText, []string{"server preface", "connection reset", "EOF"}},
		{"nobody listens", nobody, plainText, []string{"connection refused"}},
	} {
		for who, edit := range map[string]func(*Config){"": plainText, ", with a user": user} {
			t.Run(c.name+who, func(t *testing.T) {
				t.Parallel()
				d := newDriver(t, c.endpoint, c.edit, edit)
				limit := 1200 * time.Millisecond
				if who != "" { // a token is waited for before anybody asks why
					limit = 3500 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				began := time.Now()
				_, err := d.Join(ctx, claim("user-svc", 1))
				took := time.Since(began)
				if err == nil || !containsAny(err.Error(), c.want) {
					t.Errorf("after %v: %v\nwant one of %q in it", took, err, c.want)
				}
				if l := d.Link(); l.Up || l.Err == nil || !containsAny(l.Err.Error(), c.want) {
					t.Errorf("Link = %+v, want one of %q in it", l, c.want)
				}
				if took > 5*time.Second {
					t.Errorf("took %v", took)
				}
				if err != nil && strings.Contains(err.Error(), "hunter2") {
					t.Errorf("the password is in %v", err)
				}
				t.Log(err)
			})
		}
	}
}

func containsAny(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// TestNeverPlainText: once TLS is configured, nothing but TLS leaves the process, though all files have gone bad meanwhile.
func TestNeverPlainText(t *testing.T) {
	t.Parallel()
	ca, id := etcdtest.NewAuthority(t), newIdentity(t)
	ca.Issue(id.cert, id.key, "client", 10)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	firsts := make(chan byte, 100)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var b [1]byte
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := io.ReadFull(c, b[:]); err == nil {
				firsts <- b[0]
			}
			_ = c.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	const handshake = 0x16
	for _, endpoint := range []string{l.Addr().String(), "https://" + l.Addr().String()} {
		d := newDriver(t, endpoint, func(c *Config) { c.CAFile, c.CertFile, c.KeyFile = ca.CAFile, id.cert, id.key })
		for _, f := range []string{ca.CAFile, id.cert, id.key} {
			b, err := os.ReadFile(f)
			must(t, err)
			must(t, os.WriteFile(f, []byte("no PEM"), 0o600))
			defer os.WriteFile(f, b, 0o600)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := d.Join(ctx, claim("user-svc", 1))
		cancel()
		if err == nil {
			t.Error("joined without etcd")
		}
		must(t, d.Close())
		ca = etcdtest.NewAuthority(t)
		ca.Issue(id.cert, id.key, "client", 10)
	}
	if len(firsts) == 0 {
		t.Fatal("nothing was sent")
	}
	for len(firsts) > 0 {
		if b := <-firsts; b != handshake {
			t.Errorf("a connection began with %#x, want a TLS handshake", b)
		}
	}
}

// TestServerNameIsChecked: a certificate of the right authority for another host is refused.
func TestServerNameIsChecked(t *testing.T) {
	t.Parallel()
	ca, id := etcdtest.NewAuthority(t), newIdentity(t)
	ca.Issue(id.cert, id.key, "client", 10)
	node := etcdtest.Start(t, ca.Serve(""))
	cfg := Config{Namespace: testNamespace(t, "dev"), Endpoints: []string{"https://x:1"}, CAFile: ca.CAFile, CertFile: id.cert, KeyFile: id.key}
	r, err := cfg.transport()
	must(t, err)
	conn, err := net.Dial("tcp", node.Endpoint())
	must(t, err)
	defer conn.Close()
	_, _, err = r.ClientHandshake(within(t), "etcd.example:2379", conn)
	var name x509.HostnameError
	var verify *tls.CertificateVerificationError
	if !errors.As(err, &name) || !errors.As(err, &verify) {
		t.Errorf("err = %v, want one about the name", err)
	}
}
