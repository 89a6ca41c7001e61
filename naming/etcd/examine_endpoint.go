package etcd

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Trouble is what keeps an endpoint from serving.
type Trouble string

// The troubles that Examine can tell apart.
const (
	TroubleNone Trouble = ""
	// TroubleName: the host's name can't be resolved.
	TroubleName Trouble = "name"
	// TroubleRefused: the host is there and nobody listens.
	TroubleRefused Trouble = "refused"
	// TroubleSilent: no answer in time, or no word after the connection was made: a firewall, a host that is away, a process
	// that is frozen, or something else than etcd that waits.
	TroubleSilent Trouble = "silent"
	// TroublePlainPort: TLS is configured, and the port doesn't speak it.
	TroublePlainPort Trouble = "plain port"
	// TroubleTLSPort: the port speaks TLS, and none is configured.
	TroubleTLSPort Trouble = "TLS port"
	// TroubleUntrusted: etcd's certificate is not signed by a trusted authority, has expired, or is for another name.
	TroubleUntrusted Trouble = "untrusted"
	// TroubleClientCert: etcd wants a certificate of the client, or another one.
	TroubleClientCert Trouble = "client certificate"
	// TroubleNotEtcd: something else listens there.
	TroubleNotEtcd Trouble = "not etcd"
	// TroubleOther: none of these; see the error.
	TroubleOther Trouble = "other"
)

// The beginning of HTTP/2, which gRPC speaks: what a client says first, and the type of the frame that a server answers with.
const (
	http2Preface  = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	http2Settings = 4
	frameHeader   = 9
	tlsAlert      = 0x15
)

var errNotHTTP2 = errors.New("the answer is not etcd's")

// examineEndpoint goes as far as the first answer of HTTP/2, and asks for the version, which etcd tells to anybody.
func examineEndpoint(ctx context.Context, cfg Config, endpoint string) EndpointState {
	s := EndpointState{Endpoint: endpoint}
	addr := strings.TrimSuffix(endpoint[strings.Index(endpoint, "://")+1:], "/")
	addr = strings.TrimPrefix(addr, "//")
	t, err := cfg.tls()
	if err != nil {
		s.Trouble, s.Err = TroubleOther, err
		return s
	}
	if s.Trouble, s.Err = greet(ctx, addr, t); s.Trouble != TroubleNone {
		return s
	}
	if s.Version, err = versionOf(ctx, addr, t); err != nil {
		s.Trouble, s.Err = TroubleNotEtcd, err
	}
	return s
}

// greet connects and says hello as gRPC does. t is nil for plain text.
func greet(ctx context.Context, addr string, t *tls.Config) (Trouble, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return dialTrouble(err), err
	}
	defer conn.Close()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(examineTimeout)
	}
	// Something else may wait for more than it is told. Half of the time is left to find out what it is.
	_ = conn.SetDeadline(time.Now().Add(time.Until(deadline) / 2))
	if t != nil {
		c := t.Clone()
		c.NextProtos = []string{"h2"}
		if c.ServerName == "" {
			c.ServerName, _, _ = net.SplitHostPort(addr)
		}
		secured := tls.Client(conn, c)
		if err := secured.HandshakeContext(ctx); err != nil {
			trouble := handshakeTrouble(err)
			if trouble == TroublePlainPort {
				if other, _ := greet(ctx, addr, nil); other != TroubleNone {
					trouble = TroubleNotEtcd
				}
			}
			return trouble, err
		}
		conn = secured
	}
	answer, err := hello(conn)
	switch {
	case err == nil && len(answer) == frameHeader && answer[3] == http2Settings:
		return TroubleNone, nil
	case t != nil:
		return answerTrouble(err), orElse(err)
	case len(answer) > 0 && answer[0] == tlsAlert, speaksTLS(ctx, addr):
		return TroubleTLSPort, orElse(err)
	}
	return answerTrouble(err), orElse(err)
}

// hello sends HTTP/2's beginning and returns the first bytes of the answer.
func hello(conn net.Conn) ([]byte, error) {
	if _, err := io.WriteString(conn, http2Preface); err != nil {
		return nil, err
	}
	answer := make([]byte, frameHeader)
	n, err := io.ReadFull(conn, answer)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return answer[:n], err
}

func orElse(err error) error {
	if err == nil {
		return errNotHTTP2
	}
	return err
}

// speaksTLS reports whether a TLS handshake gets anywhere. Nothing is sent over it, so nothing is checked.
func speaksTLS(ctx context.Context, addr string) bool {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) //nolint:gosec // only to see whether it is TLS
	err = c.HandshakeContext(ctx)
	var alert tls.AlertError
	return err == nil || errors.As(err, &alert) || strings.Contains(err.Error(), "remote error: tls:")
}

func dialTrouble(err error) Trouble {
	var name *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &name):
		return TroubleName
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(err.Error(), "refused"):
		return TroubleRefused
	case errors.As(err, &timeout) && timeout.Timeout():
		return TroubleSilent
	}
	return TroubleOther
}

func handshakeTrouble(err error) Trouble {
	var noTLS tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	var name x509.HostnameError
	switch {
	case errors.As(err, &verify), errors.As(err, &name):
		return TroubleUntrusted
	case errors.As(err, &noTLS), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return TroublePlainPort
	case strings.Contains(err.Error(), "remote error: tls:"):
		return TroubleClientCert
	}
	return answerTrouble(err)
}

// answerTrouble judges an end after the connection was made. In TLS 1.3 the refusal of a client's certificate comes only then.
func answerTrouble(err error) Trouble {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return TroubleSilent
	case err != nil && strings.Contains(err.Error(), "remote error: tls:"):
		return TroubleClientCert
	case err != nil && strings.Contains(err.Error(), "broken pipe"):
		return TroubleClientCert
	}
	return TroubleNotEtcd
}

// versionOf asks for etcd's version by HTTP, for which it asks nobody for a user. An etcd that has been told to answer HTTP
// elsewhere gives none.
func versionOf(ctx context.Context, addr string, t *tls.Config) (string, error) {
	scheme := "http"
	if t != nil {
		scheme = "https"
	}
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: t, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s://%s/version", scheme, addr), nil)
	if err != nil {
		return "", nil
	}
	r, err := client.Do(req)
	if err != nil {
		return "", nil // it speaks HTTP/2, and that is all that is needed
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(r.Body, 4<<10))
	var v struct {
		Server string `json:"etcdserver"`
	}
	if r.StatusCode == http.StatusOK && json.Unmarshal(body, &v) == nil && v.Server != "" {
		return v.Server, nil
	}
	if r.StatusCode == http.StatusNotFound || bytes.Contains(body, []byte("<")) {
		return "", errNotHTTP2
	}
	return "", nil
}
