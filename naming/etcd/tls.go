package etcd

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"slices"
	"strings"
)

func (c Config) tlsFiles() bool { return c.CAFile != "" || c.CertFile != "" || c.KeyFile != "" }

// tls returns nil where the connection is to be plain text. Whatever can't be read or parsed is an error: there is no
// falling back from TLS.
func (c Config) tls() (*tls.Config, error) {
	https := slices.ContainsFunc(c.Endpoints, func(e string) bool { return strings.HasPrefix(e, "https://") })
	if !https && !c.tlsFiles() {
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
		load := func() (*tls.Certificate, error) {
			cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
			if err != nil {
				return nil, badFile("CertFile, KeyFile", c.CertFile+", "+c.KeyFile, err)
			}
			return &cert, nil
		}
		if _, err := load(); err != nil {
			return nil, err
		}
		// Read at each handshake, so that a certificate rotated on disk is used without a restart.
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	return t, nil
}
