package muster

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

// environment is the contract: each variable with its default. A variable that is set but empty counts as unset.
type environment struct {
	Namespace string   `env:"MUSTER_NAMESPACE" envDefault:"dev"`
	Group     string   `env:"MUSTER_GROUP" envDefault:"default"`
	Protected []string `env:"MUSTER_PROTECTED_NAMESPACES" envDefault:"prod,production,online,live"`
	Confirm   string   `env:"MUSTER_CONFIRM_NAMESPACE"`
	KeyRoot   string   `env:"MUSTER_KEY_ROOT" envDefault:"muster"`

	Endpoints    []string      `env:"MUSTER_ETCD_ENDPOINTS" envDefault:"127.0.0.1:2379"`
	Username     string        `env:"MUSTER_ETCD_USERNAME"`
	Password     string        `env:"MUSTER_ETCD_PASSWORD"`
	PasswordFile string        `env:"MUSTER_ETCD_PASSWORD_FILE"`
	CAFile       string        `env:"MUSTER_ETCD_CA_FILE"`
	CertFile     string        `env:"MUSTER_ETCD_CERT_FILE"`
	KeyFile      string        `env:"MUSTER_ETCD_KEY_FILE"`
	LeaseTTL     time.Duration `env:"MUSTER_LEASE_TTL" envDefault:"10s"`

	Advertise  string        `env:"MUSTER_ADVERTISE_ADDR"`
	KitexIP    string        `env:"KITEX_IP_TO_REGISTRY"`
	KitexPort  string        `env:"KITEX_PORT_TO_REGISTRY"`
	DrainDelay time.Duration `env:"MUSTER_DRAIN_DELAY" envDefault:"1s"`
	Floor      string        `env:"MUSTER_FLOOR" envDefault:"50%"`
	CacheDir   string        `env:"MUSTER_CACHE_DIR"`
}

// etcdVariables names the variable behind each field of etcd.Config, for its errors.
var etcdVariables = strings.NewReplacer(
	"PasswordFile", "MUSTER_ETCD_PASSWORD_FILE", "Password", "MUSTER_ETCD_PASSWORD", "Username", "MUSTER_ETCD_USERNAME",
	"Endpoints", "MUSTER_ETCD_ENDPOINTS", "CAFile", "MUSTER_ETCD_CA_FILE", "CertFile", "MUSTER_ETCD_CERT_FILE",
	"KeyFile", "MUSTER_ETCD_KEY_FILE", "Root", "MUSTER_KEY_ROOT", "LeaseTTL", "MUSTER_LEASE_TTL", "Namespace", "MUSTER_NAMESPACE",
)

// ParseEnv reads the configuration from the environment. Each error names its variable and what to do; all of them are
// reported together. A protected namespace that is not confirmed is an error here already, which wraps
// naming.ErrProtected. Variables that begin with MUSTER_ and are not known are logged, since they are mostly misspelt.
func ParseEnv() (Config, error) {
	return parseEnv(env.ToMap(os.Environ()), slog.Default())
}

func parseEnv(vars map[string]string, log *slog.Logger) (Config, error) {
	var e environment
	var errs []error
	if err := env.ParseWithOptions(&e, env.Options{Environment: vars}); err != nil {
		errs = append(errs, nameVariables(err)) // the fields that it names are zero
	}
	warnUnknown(vars, log)
	cfg := Config{
		Protection: naming.Protection{Names: trim(e.Protected), Confirm: e.Confirm, ConfirmWith: "MUSTER_CONFIRM_NAMESPACE"},
		Etcd: etcd.Config{
			Endpoints: trim(e.Endpoints), Username: e.Username, Password: e.Password, PasswordFile: e.PasswordFile,
			CAFile: e.CAFile, CertFile: e.CertFile, KeyFile: e.KeyFile, Root: e.KeyRoot, LeaseTTL: e.LeaseTTL,
		},
		DrainDelay: e.DrainDelay,
		CacheDir:   e.CacheDir,
	}
	var err error
	if cfg.Advertise, err = advertise(e, log); err != nil {
		errs = append(errs, err)
	}
	if err := checkCacheDir(e.CacheDir); err != nil {
		errs = append(errs, fmt.Errorf("muster: MUSTER_CACHE_DIR: %w", err))
	}
	if cfg.Namespace, err = namespace(e); err != nil {
		errs = append(errs, err)
	} else if err := cfg.Protection.Check(cfg.Namespace); err != nil {
		errs = append(errs, fmt.Errorf("muster: MUSTER_NAMESPACE: %w", err))
	}
	for _, name := range cfg.Protection.Names {
		if _, err := naming.NewNamespace(name, ""); err != nil {
			errs = append(errs, fmt.Errorf("muster: MUSTER_PROTECTED_NAMESPACES: %w", err))
		}
	}
	if cfg.Floor, err = naming.ParseFloor(e.Floor); err != nil {
		errs = append(errs, fmt.Errorf("muster: MUSTER_FLOOR: %w", err))
	}
	if cfg.DrainDelay < 0 {
		errs = append(errs, fmt.Errorf("muster: MUSTER_DRAIN_DELAY: %v is negative", cfg.DrainDelay))
	}
	cfg.Etcd.Namespace = cfg.Namespace
	check := cfg.Etcd
	if cfg.Namespace.IsZero() { // its own error is there already
		check.Namespace, _ = naming.NewNamespace("dev", "")
	}
	errs = append(errs, etcdErrors(check.Check()))
	return cfg, errors.Join(errs...)
}

func namespace(e environment) (naming.Namespace, error) {
	if _, err := naming.NewNamespace(e.Namespace, ""); err != nil {
		return naming.Namespace{}, fmt.Errorf("muster: MUSTER_NAMESPACE: %w", err)
	}
	ns, err := naming.NewNamespace(e.Namespace, e.Group)
	if err != nil {
		return ns, fmt.Errorf("muster: MUSTER_GROUP: %w", err)
	}
	return ns, nil
}

// trim takes the blanks off that people put behind commas.
func trim(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.TrimSpace(s)
	}
	return out
}

// nameVariables turns the parser's errors, which name fields, into errors that name variables.
func nameVariables(err error) error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return fmt.Errorf("muster: %w", err)
	}
	errs := make([]error, len(all.Errors))
	for i, e := range all.Errors {
		errs[i] = e
		var p env.ParseError
		if f, ok := reflect.TypeFor[environment]().FieldByName(fieldOf(e, &p)); ok {
			errs[i] = fmt.Errorf("muster: %s: %w", f.Tag.Get("env"), p.Err)
		}
	}
	return errors.Join(errs...)
}

func fieldOf(err error, p *env.ParseError) string {
	errors.As(err, p)
	return p.Name
}

// etcdErrors turns the driver's errors, which name fields, into errors that name variables.
func etcdErrors(err error) error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, e := range joined.Unwrap() {
			errs = append(errs, etcdErrors(e))
		}
		return errors.Join(errs...)
	}
	if ce, ok := errors.AsType[*etcd.ConfigError](err); ok {
		return fmt.Errorf("muster: %s: %s", etcdVariables.Replace(ce.Field), ce.Reason)
	}
	return err
}

// warnUnknown logs the variables that look like Muster's and are not. They are no errors, since Kubernetes makes such of
// its own for a service that is named muster.
func warnUnknown(vars map[string]string, log *slog.Logger) {
	known := map[string]bool{}
	for f := range reflect.TypeFor[environment]().Fields() {
		known[f.Tag.Get("env")] = true
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if strings.HasPrefix(name, "MUSTER_") && !known[name] {
			log.Warn("an environment variable begins with MUSTER_ and is not known; it has no effect", "variable", name)
		}
	}
}
