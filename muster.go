package muster

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

// Muster is one process's wiring: probes, gate, catalog and the connection to etcd. Its parts are safe for concurrent use.
type Muster struct {
	// Health runs the probes; pass it to hertzext.Healthz.
	Health *health.Monitor
	// Gate registers servers; pass it to kitexext.WithRegistry.
	Gate *gate.Gate
	// Catalog resolves services; pass it to kitexext.WithResolver.
	Catalog *catalog.Catalog

	namespace naming.Namespace
	driver    *etcd.Driver
	close     sync.Once
	closeErr  error
}

// FromEnv reads the environment, wires everything and starts the probes. See [ParseEnv] for its errors; it also errs for a
// probe that is misconfigured. It does not wait for etcd, which may be away, nor for the probes' first results. The
// effective configuration is logged once, without secrets. ctx bounds FromEnv itself, not what it starts: end that with
// Close.
func FromEnv(ctx context.Context, probes ...health.Probe) (*Muster, error) {
	cfg, err := ParseEnv()
	if err != nil {
		return nil, err
	}
	return New(ctx, cfg, probes...)
}

// New is FromEnv for a Config that the program has made or changed itself. Its errors name the field.
func New(ctx context.Context, cfg Config, probes ...health.Probe) (_ *Muster, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cfg = cfg.complete()
	if err := cfg.Protection.Check(cfg.Namespace); err != nil {
		return nil, err
	}

	m := &Muster{namespace: cfg.Namespace}
	defer func() {
		if err != nil {
			_ = m.Close()
		}
	}()
	if m.Health, err = health.New(health.Options{Logger: cfg.Logger}, probes...); err != nil {
		return nil, err
	}
	if m.driver, err = etcd.New(cfg.Etcd); err != nil {
		return nil, err
	}
	if m.Gate, err = gate.New(gate.Options{
		Registrar: m.driver, Monitor: m.Health, Namespace: cfg.Namespace, Floor: cfg.Floor, DrainDelay: cfg.DrainDelay,
		Advertise: cfg.Advertise, RefuseLoopback: cfg.Protection.Protects(cfg.Namespace.Name()),
		Version: cfg.Version, Logger: cfg.Logger,
	}); err != nil {
		return nil, err
	}
	if m.Catalog, err = catalog.New(m.driver, catalog.Options{
		CacheDir: cfg.CacheDir, Namespace: cfg.Namespace, Logger: cfg.Logger,
	}); err != nil {
		return nil, fmt.Errorf("muster: Config.CacheDir (MUSTER_CACHE_DIR): %w", err)
	}
	cfg.Logger.Info("muster: effective configuration", "config", cfg)
	m.Health.Start()
	return m, nil
}

// Namespace returns the environment and group that the process is in.
func (m *Muster) Namespace() naming.Namespace { return m.namespace }

// Close leaves everything that is still registered, waits for a Deregister in progress, ends the watches and the probes,
// and joins every goroutine of Muster's. It is idempotent; a Deregister after it does nothing. Close it after the servers
// have stopped: their own Deregister is what drains them.
func (m *Muster) Close() error {
	m.close.Do(func() {
		var errs []error
		if m.Gate != nil {
			errs = append(errs, m.Gate.Close())
		}
		if m.Catalog != nil {
			errs = append(errs, m.Catalog.Close())
		}
		if m.Health != nil {
			errs = append(errs, m.Health.Close())
		}
		if m.driver != nil {
			errs = append(errs, m.driver.Close())
		}
		m.closeErr = errors.Join(errs...)
	})
	return m.closeErr
}
