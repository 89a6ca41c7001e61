package etcdtest

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// StartInstalled runs the etcd that the system has installed until the test ends, and returns its endpoint and version. It
// skips the test where there is none. What a system installs is mostly older than what the tests run in their own process.
func StartInstalled(t testing.TB) (endpoint, version string) {
	t.Helper()
	path, err := exec.LookPath("etcd")
	if err != nil {
		t.Skip("no etcd is installed")
	}
	ports, err := FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	client, peer := localURL(ports[0]), localURL(ports[1])
	cmd := exec.Command(path, "--name", "installed", "--data-dir", t.TempDir(), "--bcrypt-cost", "4",
		"--listen-client-urls", client.String(), "--advertise-client-urls", client.String(),
		"--listen-peer-urls", peer.String(), "--initial-advertise-peer-urls", peer.String(),
		"--initial-cluster", "installed="+peer.String())
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })

	endpoint = fmt.Sprintf("127.0.0.1:%d", ports[0])
	cli, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	ctx, cancel := context.WithTimeout(t.Context(), readyTimeout)
	defer cancel()
	for { // the client waits between its tries
		if _, err = cli.Get(ctx, "x"); err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("the installed etcd is not ready: %v", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	s, err := cli.Status(ctx, endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return endpoint, s.Version
}
