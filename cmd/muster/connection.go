package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

// connection is how the subcommands reach etcd.
type connection struct {
	timeout   time.Duration
	endpoints []string // set by open
}

func (c *connection) flags(f *pflag.FlagSet) {
	f.DurationVar(&c.timeout, "timeout", 5*time.Second, "how long to wait for etcd's answer")
}

// open reads the environment and returns a driver, which the caller closes. Nothing is asked of etcd yet. What the driver
// has to say goes to log; nil is nowhere, for commands that report the error themselves.
func (c *connection) open(log *slog.Logger) (*etcd.Driver, naming.Namespace, error) {
	if c.timeout <= 0 {
		return nil, naming.Namespace{}, fail(exitUsage, "--timeout %v: want more than 0", c.timeout)
	}
	cfg, err := muster.ParseEnv()
	if err != nil {
		return nil, naming.Namespace{}, &failure{exitUsage, err}
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	cfg.Etcd.Namespace, cfg.Etcd.Logger = cfg.Namespace, log
	c.endpoints = cfg.Etcd.Endpoints
	d, err := etcd.New(cfg.Etcd)
	if err != nil {
		return nil, naming.Namespace{}, &failure{exitUsage, err}
	}
	return d, cfg.Namespace, nil
}

// with opens a driver, and lets f use it within the timeout.
func (c *connection) with(ctx context.Context, f func(ctx context.Context, d *etcd.Driver, ns naming.Namespace) error) error {
	d, ns, err := c.open(nil)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("gave up after %v", c.timeout))
	defer cancel()
	err = f(ctx, d, ns)
	switch {
	case errors.Is(err, etcd.ErrNoInstance):
		return &failure{exitNone, err}
	case errors.Is(err, naming.ErrInvalid):
		return &failure{exitUsage, err}
	}
	if link := d.Link(); err != nil && ctx.Err() != nil && !link.Up {
		why := context.DeadlineExceeded
		if link.Err != nil {
			why = link.Err
		}
		return fail(exitFailed, "etcd at %s has not answered within %v: %v; is it there, and MUSTER_ETCD_ENDPOINTS right?",
			strings.Join(c.endpoints, ","), c.timeout, why)
	}
	return err
}
