// Package etcdnode is the etcd of the tour: a real one, of one member, inside a process of its own.
package etcdnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"go.etcd.io/etcd/api/v3/version"
	"go.etcd.io/etcd/server/v3/embed"
)

// Version returns the version of the etcd that Run runs.
func Version() string { return version.Version }

// Run runs etcd until ctx ends. It keeps its data in dir, so that one that is started again there knows what it knew.
func Run(ctx context.Context, dir, clientAddr, peerAddr string, log *slog.Logger) error {
	cfg := embed.NewConfig()
	cfg.Name = "tour"
	cfg.Dir = dir
	cfg.LogLevel = "error"
	cfg.LogOutputs = []string{"stderr"}
	cfg.UnsafeNoFsync = true // a toy's data need not survive a power cut
	client, peer := url.URL{Scheme: "http", Host: clientAddr}, url.URL{Scheme: "http", Host: peerAddr}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)

	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer e.Close()
	select {
	case <-e.Server.ReadyNotify():
		log.Info("listening", "client", clientAddr)
	case <-ctx.Done():
		return nil
	case err := <-e.Err():
		return fmt.Errorf("etcd: %w", err)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-e.Err():
		return fmt.Errorf("etcd: %w", err)
	case <-e.Server.StopNotify():
		return errors.New("etcd: stopped by itself")
	}
}
