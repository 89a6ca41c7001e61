package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/muster-go/muster/naming/etcd"
)

// secret is a password and the file that it is in.
type secret struct {
	password, file string
	// fresh says that it was made here, and is not in the file yet.
	fresh bool
	// loose says that others than the owner may read the file.
	loose bool
}

// overheard returns an endpoint that a password would be sent to in plain text over a network, or "".
func overheard(cfg etcd.Config) string {
	if cfg.CAFile != "" || cfg.CertFile != "" {
		return ""
	}
	for _, e := range cfg.Endpoints {
		scheme, host, ok := strings.Cut(e, "://")
		if !ok {
			host = e
		}
		name, _, err := net.SplitHostPort(strings.TrimSuffix(host, "/"))
		ip := net.ParseIP(name)
		if ok && scheme == "https" {
			return "" // TLS to all of them
		}
		if err == nil && name != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return e
		}
	}
	return ""
}

// passwordDir is a folder of passwords; empty where none was named.
type passwordDir string

// load returns a user's password; one is made where there is none yet.
func (d passwordDir) load(user string) (*secret, error) {
	if d == "" {
		return &secret{password: rand.Text(), fresh: true}, nil
	}
	return loadSecret(filepath.Join(string(d), user+".password"))
}

// loadSecret reads a file, or makes a password where it does not exist.
func loadSecret(file string) (*secret, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &secret{password: rand.Text(), file: file, fresh: true}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the password: %w", err)
	}
	s := &secret{password: strings.TrimRight(string(b), "\r\n"), file: file}
	if s.password == "" {
		return nil, fmt.Errorf("the password: %s is empty", file)
	}
	if info, err := os.Stat(file); err == nil && runtime.GOOS != "windows" {
		s.loose = info.Mode().Perm()&0o077 != 0
	}
	return s, nil
}

// save writes a new password for its owner alone, into a folder that is made where there is none. It overwrites nothing.
func (s *secret) save() error {
	if err := os.MkdirAll(filepath.Dir(s.file), 0o700); err != nil {
		return fmt.Errorf("the password: %w", err)
	}
	f, err := os.OpenFile(s.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("the password: %w", err)
	}
	_, err = f.WriteString(s.password + "\n")
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("the password: %w", err)
	}
	s.fresh = false
	return nil
}
