package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/etcdtest"
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
