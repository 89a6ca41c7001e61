package etcd

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/muster-go/muster/naming"
)

const (
	// DefaultEndpoint is where etcd is looked for.
	DefaultEndpoint = "127.0.0.1:2379"
	// DefaultRoot is the first segment of every key.
	DefaultRoot = "muster"
	// DefaultLeaseTTL is how long a killed process stays listed.
	DefaultLeaseTTL = 10 * time.Second
	// MinLeaseTTL is the shortest lease: etcd rounds lower ones up itself.
	MinLeaseTTL = 2 * time.Second
)

// Config is what a Driver needs to know. The zero values of all fields but Namespace mean their defaults.
type Config struct {
	// Namespace is the environment and group. It is required.
	Namespace naming.Namespace
	// Endpoints are host:port, http://host:port or https://host:port. An https endpoint, or any of the TLS files, means
	// TLS to all of them. Default [DefaultEndpoint].
	Endpoints []string
	// Username and Password authenticate. PasswordFile is read anew for each client, and a new one is made as soon as etcd
	// refuses the password, so that it can be rotated: write the file, then change it in etcd. It excludes Password. A trailing
	// newline is taken off.
	Username, Password, PasswordFile string
	// CAFile holds the authorities that may sign etcd's certificate, default the system's. CertFile and KeyFile, both or
	// none, are the client's own certificate, read anew for each connection.
	CAFile, CertFile, KeyFile string
	// Root is the first segment of every key. Default [DefaultRoot].
	Root string
	// LeaseTTL is in whole seconds, at least [MinLeaseTTL]. Default [DefaultLeaseTTL].
	LeaseTTL time.Duration
	// Logger gets the driver's log. Default slog.Default().
	Logger *slog.Logger
}

// ConfigError says which field of a Config is wrong, and what to do. It holds no secret.
type ConfigError struct {
	// Field is the field's name, or several with ", " between them where they contradict each other.
	Field  string
	Reason string
	Err    error
}

func (e *ConfigError) Error() string { return "etcd: " + e.Field + ": " + e.Reason }

func (e *ConfigError) Unwrap() error { return e.Err }

func bad(field, format string, args ...any) error {
	return &ConfigError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

func badFile(field, path string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err // the path is named already
	}
	return &ConfigError{Field: field, Reason: fmt.Sprintf("%s: %v", path, err), Err: err}
}

// Check returns what New would: every error that can be found without etcd, each a *ConfigError, joined.
func (c Config) Check() error {
	_, err := c.complete()
	return err
}

// complete fills in the defaults and checks everything that can be checked without etcd. The errors are *ConfigErrors.
func (c Config) complete() (Config, error) {
	if len(c.Endpoints) == 0 {
		c.Endpoints = []string{DefaultEndpoint}
	}
	if c.Root == "" {
		c.Root = DefaultRoot
	}
	if c.LeaseTTL == 0 {
		c.LeaseTTL = DefaultLeaseTTL
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Endpoints = slices.Clone(c.Endpoints)
	_, tlsErr := c.tls()
	return c, errors.Join(c.checkKeys(), c.checkEndpoints(), c.checkAuth(), tlsErr)
}

func (c Config) checkKeys() error {
	var errs []error
	if c.Namespace.IsZero() {
		errs = append(errs, bad("Namespace", "missing"))
	}
	if strings.Contains(c.Root, "/") || strings.ContainsFunc(c.Root, unicode.IsControl) || len(c.Root) > 253 {
		errs = append(errs, bad("Root", "%q: want one segment without '/'", c.Root))
	}
	if c.LeaseTTL < MinLeaseTTL || c.LeaseTTL%time.Second != 0 {
		errs = append(errs, bad("LeaseTTL", "%v: want whole seconds, at least %v", c.LeaseTTL, MinLeaseTTL))
	}
	return errors.Join(errs...)
}

func (c Config) checkEndpoints() error {
	var plain, secure string
	for _, e := range c.Endpoints {
		if strings.Contains(e, "@") {
			return bad("Endpoints", "%q: credentials don't belong here: use Username and PasswordFile", redactURL(e))
		}
		host := e
		if scheme, _, ok := strings.Cut(e, "://"); ok {
			u, err := url.Parse(e)
			if err != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || scheme != "http" && scheme != "https" {
				return bad("Endpoints", "%q: want host:port, http://host:port or https://host:port", redactURL(e))
			}
			host = u.Host
			if scheme == "http" {
				plain = e
			} else {
				secure = e
			}
		}
		h, p, err := net.SplitHostPort(host)
		if n, perr := strconv.ParseUint(p, 10, 16); err != nil || h == "" || perr != nil || n == 0 {
			return bad("Endpoints", "%q: want host:port, the port a number", redactURL(e))
		}
	}
	switch {
	case plain != "" && secure != "":
		return bad("Endpoints", "%q and %q: some with TLS and some without", plain, secure)
	case plain != "" && c.tlsFiles():
		return bad("Endpoints", "%q is plain text, but TLS files are set: use https://, or unset the files", plain)
	}
	return nil
}

func (c Config) checkAuth() error {
	switch {
	case c.Password != "" && c.PasswordFile != "":
		return bad("Password, PasswordFile", "both are set: unset one")
	case c.Username == "" && (c.Password != "" || c.PasswordFile != ""):
		return bad("Username", "missing, though there is a password")
	case c.Username != "" && c.Password == "" && c.PasswordFile == "":
		return bad("Password, PasswordFile", "none is set, though there is a user name")
	}
	_, err := c.password()
	return err
}

// password returns the password, from its file where it has one.
func (c Config) password() (string, error) {
	if c.PasswordFile == "" {
		return c.Password, nil
	}
	b, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return "", badFile("PasswordFile", c.PasswordFile, err)
	}
	p := strings.TrimRight(string(b), "\r\n")
	if p == "" {
		return "", bad("PasswordFile", "%s is empty", c.PasswordFile)
	}
	return p, nil
}

// scope names what the driver would answer from.
func (c Config) scope() string {
	eps := slices.Clone(c.Endpoints)
	slices.Sort(eps)
	return "etcd|" + strings.Join(eps, ",") + "|" + c.Root + "/" + c.Namespace.String()
}

// redactURL keeps what may be a password in an endpoint out of an error.
func redactURL(s string) string {
	if i := strings.LastIndex(s, "@"); i >= 0 {
		s = "***" + s[i:]
	}
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i+1] + "***"
	}
	return s
}
