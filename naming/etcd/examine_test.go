package etcd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// listen runs something that is no etcd.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				go func() { <-done; _ = c.Close() }()
				serve(c)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); close(done); wg.Wait() })
	return l.Addr().String()
}

func examine(t *testing.T, cfg Config, others ...string) *Examination {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if cfg.Namespace.IsZero() {
		cfg.Namespace = testNamespace(t, "dev")
	}
	began := time.Now()
	x, err := Examine(ctx, cfg, others)
	must(t, err)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	return x
}

func TestExamineTellsTroublesApart(t *testing.T) {
	t.Parallel()
	ca, other, id, foreign := etcdtest.NewAuthority(t), etcdtest.NewAuthority(t), newIdentity(t), newIdentity(t)
	ca.Issue(id.cert, id.key, "client", 10)
	other.Issue(foreign.cert, foreign.key, "client", 10)
	secure, open := etcdtest.Start(t, ca.Serve("")), etcdtest.Start(t)
	ports, err := etcdtest.FreePorts(1)
	must(t, err)
	web := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
	webl, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go web.Serve(webl)
	t.Cleanup(func() { _ = web.Close() })
	rpc := grpc.NewServer()
	rpcl, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go rpc.Serve(rpcl)
	t.Cleanup(rpc.Stop)
	peer := ""
	peered := etcdtest.Start(t, func(c *embed.Config) { peer = c.ListenPeerUrls[0].Host })
	_ = peered

	plain := func(e string) Config { return Config{Endpoints: []string{e}} }
	tls := func(e, caFile string, id identity) Config {
		return Config{Endpoints: []string{"https://" + e}, CAFile: caFile, CertFile: id.cert, KeyFile: id.key}
	}
	for _, c := range []struct {
		name string
		cfg  Config
		want []Trouble // any of these
	}{
		{"plain", plain(open.Endpoint()), []Trouble{TroubleNone}},
		{"plain, with a scheme", plain("http://" + open.Endpoint() + "/"), []Trouble{TroubleNone}},
		{"mutual TLS", tls(secure.Endpoint(), ca.CAFile, id), []Trouble{TroubleNone}},
		{"nobody", plain(fmt.Sprintf("127.0.0.1:%d", ports[0])), []Trouble{TroubleRefused}},
		{"no such host", plain("etcd.invalid:2379"), []Trouble{TroubleName, TroubleSilent}},
		{"plain to TLS", plain(secure.Endpoint()), []Trouble{TroubleTLSPort}},
		{"TLS to plain", tls(open.Endpoint(), ca.CAFile, id), []Trouble{TroublePlainPort}},
		{"another authority", tls(secure.Endpoint(), other.CAFile, id), []Trouble{TroubleUntrusted}},
		{"no client certificate", tls(secure.Endpoint(), ca.CAFile, identity{}), []Trouble{TroubleClientCert}},
		{"a foreign client certificate", tls(secure.Endpoint(), ca.CAFile, foreign), []Trouble{TroubleClientCert}},
		{"a web server", plain(webl.Addr().String()), []Trouble{TroubleNotEtcd}},
		{"TLS to a web server", tls(webl.Addr().String(), ca.CAFile, id), []Trouble{TroubleNotEtcd}},
		{"another gRPC server", plain(rpcl.Addr().String()), []Trouble{TroubleNotEtcd}},
		{"etcd's peer port", plain(peer), []Trouble{TroubleNotEtcd}},
		{"a database that greets", plain(listen(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "J\x00\x00\x00\x0a8.0.36\x00")
			_, _ = bufio.NewReader(c).ReadByte()
		})), []Trouble{TroubleNotEtcd}},
		{"a database that complains", plain(listen(t, func(c net.Conn) {
			_, _ = bufio.NewReader(c).ReadString('\n')
			_, _ = io.WriteString(c, "-ERR unknown command 'PRI'\r\n")
		})), []Trouble{TroubleNotEtcd}},
		{"somebody who says nothing", plain(listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })), []Trouble{TroubleSilent}},
		{"TLS to somebody who says nothing", tls(listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), ca.CAFile, id), []Trouble{TroubleSilent}},
		{"somebody who hangs up", plain(listen(t, func(net.Conn) {})), []Trouble{TroubleNotEtcd}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := examine(t, c.cfg)
			e := x.Endpoints[0]
			ok := false
			for _, w := range c.want {
				ok = ok || e.Trouble == w
			}
			if !ok || e.Trouble == TroubleNone != (x.Err == nil) {
				t.Errorf("%+v, %v; want %q", e, x.Err, c.want)
			}
			if e.Trouble == TroubleNone && e.Version != "3.7.3" {
				t.Errorf("version %q", e.Version)
			}
			t.Logf("%s: %v", e.Trouble, e.Err)
		})
	}
}

func TestExamineAccess(t *testing.T) {
	t.Parallel()
	node := startWalled(t)
	open := etcdtest.Start(t)
	wall(t, node.Endpoint())
	admin := rawClient(t, node.Endpoint(), "root", "root")
	before, err := admin.Get(within(t), "x")
	must(t, err)
	as := func(namespace, user, password string) Config {
		return Config{Namespace: testNamespace(t, namespace), Endpoints: []string{node.Endpoint()}, Username: user, Password: password}
	}
	if x := examine(t, as("dev", "muster-dev", "secret-dev"), "prod", "staging"); x.Err != nil || !x.Auth || x.Refused ||
		!x.Own.Read || !x.Own.Write || x.Own.Prefix != "muster/dev/" || len(x.Others) != 2 || x.Others[0].Read || x.Others[0].Write || x.Others[1].Read {
		t.Errorf("dev in dev: %+v", x)
	}
	if x := examine(t, as("prod", "muster-dev", "secret-dev")); x.Err != nil || x.Own.Read || x.Own.Write {
		t.Errorf("dev in prod: %+v", x)
	}
	if x := examine(t, as("dev", "root", "root"), "prod"); x.Err != nil || !x.Own.Write || !x.Others[0].Read || !x.Others[0].Write {
		t.Errorf("root: %+v", x)
	}
	if x := examine(t, as("dev", "muster-dev", "hunter2")); !x.Refused || x.Err == nil || strings.Contains(x.Err.Error(), "hunter2") {
		t.Errorf("a wrong password: %+v", x)
	}
	if x := examine(t, as("dev", "", "")); !x.Refused || !x.Auth || x.Endpoints[0].Version != "3.7.3" {
		t.Errorf("no user: %+v", x)
	}
	for password, refused := range map[string]bool{"secret-dev": false, "hunter2": true} {
		cfg := as("dev", "muster-dev", password)
		cfg.Namespace = naming.Namespace{}
		if x, err := Examine(within(t), cfg, []string{"prod"}); err != nil || x.Refused != refused || x.Own.Prefix != "" || x.Others != nil {
			t.Errorf("without a namespace, %s: %+v, %v", password, x, err)
		}
	}
	after, err := admin.Get(within(t), "x")
	must(t, err)
	if after.Header.Revision != before.Header.Revision {
		t.Errorf("the examination wrote something: revision %d, then %d", before.Header.Revision, after.Header.Revision)
	}
	if x := examine(t, Config{Endpoints: []string{open.Endpoint()}}, "prod"); x.Err != nil || x.Auth || !x.Own.Write || !x.Others[0].Write {
		t.Errorf("without authentication: %+v", x)
	}
	if keys := etcdtest.Keys(t, open.Client(), ""); len(keys) != 0 {
		t.Errorf("the examination left %v", keys)
	}
	if x := examine(t, Config{Endpoints: []string{open.Endpoint()}, Username: "dev", Password: "x"}); x.Err != nil || x.Auth || !x.Own.Write {
		t.Errorf("a user without authentication: %+v", x)
	}
}
