package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/muster-go/muster/internal/etcdtest"
)

const nodes = 3

func (w *World) startCluster(ctx context.Context) error {
	ports, err := w.ports.takeAll(2 * nodes)
	if err != nil {
		return err
	}
	w.Nodes = etcdtest.NewCluster(filepath.Join(w.dir, "etcd"), ports, etcdtest.Options{
		QuotaBytes: w.tuning.QuotaBytes, TokenTTL: w.tuning.TokenTTL, CheapHash: true,
	})
	for _, n := range w.Nodes {
		if err := os.MkdirAll(n.Dir(), 0o700); err != nil {
			return err
		}
	}
	w.Observer = newObserver(w.endpoints())
	if err := w.startNodes(w.Nodes...); err != nil {
		return err
	}
	return w.Observer.Open(ctx)
}

func (w *World) endpoints() []string {
	var all []string
	for _, n := range w.Nodes {
		all = append(all, n.Endpoint())
	}
	return all
}

// startNodes starts those that don't run and waits until they serve.
func (w *World) startNodes(which ...*etcdtest.Process) error {
	var started []*etcdtest.Process
	for _, n := range which {
		if n.Running() {
			continue
		}
		if err := w.starter.do(n.Begin); err != nil {
			return err
		}
		started = append(started, n)
	}
	var wg sync.WaitGroup
	errs := make([]error, len(started))
	for i, n := range started {
		wg.Go(func() { errs[i] = n.Ready() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// StartNodes starts the nodes that don't run, and returns when etcd has answered the observer.
func (w *World) StartNodes(ctx context.Context) (time.Time, error) {
	answered := make(chan time.Time, 1)
	actx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		at, err := w.Observer.AwaitAnswer(actx)
		if err == nil {
			answered <- at
		}
	}()
	if err := w.startNodes(w.Nodes...); err != nil {
		return time.Time{}, err
	}
	select {
	case at := <-answered:
		return at, w.Observer.refresh()
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("etcd does not come back: %w", context.Cause(ctx))
	}
}

// StopNodes kills nodes.
func (w *World) StopNodes(which ...*etcdtest.Process) {
	for _, n := range which {
		n.Kill()
	}
}

// Freeze stops a node with SIGSTOP, Thaw lets it run on.
func (w *World) Freeze(n *etcdtest.Process) error { return n.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen node run on.
func (w *World) Thaw(n *etcdtest.Process) error { return n.Signal(syscall.SIGCONT) }

// Leader returns the index of the node that leads.
func (w *World) Leader(ctx context.Context) (int, error) {
	for ctx.Err() == nil {
		for i, n := range w.Nodes {
			if !n.Running() {
				continue
			}
			rctx, cancel := context.WithTimeout(ctx, time.Second)
			s, err := w.Observer.Client().Status(rctx, n.Endpoint())
			cancel()
			if err == nil && s.Leader != 0 && s.Leader == s.Header.MemberId {
				return i, nil
			}
		}
		pause(ctx, 50*time.Millisecond)
	}
	return 0, fmt.Errorf("no node leads: %w", context.Cause(ctx))
}

// SaveData copies the data of all nodes, which must be stopped, in place of what was saved before.
func (w *World) SaveData() error {
	for _, n := range w.Nodes {
		if err := os.RemoveAll(n.Dir() + ".saved"); err != nil {
			return err
		}
		if err := os.CopyFS(n.Dir()+".saved", os.DirFS(n.Dir())); err != nil {
			return err
		}
	}
	return nil
}

// RestoreData replaces the data of all nodes, which must be stopped, by those that were saved.
func (w *World) RestoreData() error {
	for _, n := range w.Nodes {
		if err := n.Wipe(); err != nil {
			return err
		}
		if err := os.CopyFS(n.Dir(), os.DirFS(n.Dir()+".saved")); err != nil {
			return err
		}
	}
	return nil
}
