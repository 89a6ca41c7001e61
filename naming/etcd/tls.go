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
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/credentials"
)

func (c Config) tlsFiles() bool { return c.CAFile != "" || c.CertFile != "" || c.KeyFile != "" }

// secure reports whether the connection is to be TLS.
func (c Config) secure() bool {
	return c.tlsFiles() || slices.ContainsFunc(c.Endpoints, func(e string) bool { return strings.HasPrefix(e, "https://") })
}

// tls reads the files and returns nil where the connection is to be plain text. Whatever can't be read or parsed is an
// error: there is no falling back from TLS.
func (c Config) tls() (*tls.Config, error) {
	if !c.secure() {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, badFile("CAFile", c.CAFile, err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, bad("CAFile", "%s holds no certificate in PEM", c.CAFile)
		}
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return nil, bad("CertFile, KeyFile", "one of the two is missing")
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, badFile("CertFile, KeyFile", c.CertFile+", "+c.KeyFile, err)
		}
		t.Certificates = []tls.Certificate{cert}
	}
	return t, nil
}

// rotating are transport credentials that read their files anew for each handshake, so that a certificate, key or CA that
// was rotated on disk is used without a restart. Two files can't be replaced at one instant: where they don't fit together,
// or can't be read, what was read last stays in use, and the log says so. It is never plain text.
type rotating struct {
	credentials.TransportCredentials
	cfg        Config
	good       *atomic.Pointer[tls.Config]
	complaints *rate.Sometimes
}

// transport reads the files for the first time. It returns nil where the connection is to be plain text.
func (c Config) transport() (credentials.TransportCredentials, error) {
	t, err := c.tls()
	if t == nil || err != nil {
		return nil, err
	}
	r := &rotating{
		TransportCredentials: credentials.NewTLS(t), cfg: c, good: new(atomic.Pointer[tls.Config]),
		complaints: &rate.Sometimes{First: 1, Interval: time.Minute},
	}
	r.good.Store(t)
	return r, nil
}

// ClientHandshake implements credentials.TransportCredentials.
func (r *rotating) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	t, err := r.cfg.tls()
	if err != nil {
		t = r.good.Load()
		r.complaints.Do(func() {
			r.cfg.Logger.Error("a rotated TLS file can't be used; the one before stays in use", "err", err)
		})
	} else {
		r.good.Store(t)
	}
	secured, info, err := credentials.NewTLS(t).ClientHandshake(ctx, authority, conn)
	var noTLS tls.RecordHeaderError
	if errors.Is(err, io.EOF) || errors.As(err, &noTLS) {
		err = fmt.Errorf("%w: the port may not speak TLS", err)
	}
	return secured, info, err
}

// Clone implements credentials.TransportCredentials.
func (r *rotating) Clone() credentials.TransportCredentials {
	c := *r
	c.TransportCredentials = r.TransportCredentials.Clone()
	return &c
}
