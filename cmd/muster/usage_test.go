package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/etcdtest"
)

func TestExitCodes(t *testing.T) {
	node := etcdtest.Start(t)
	at(t, node.Endpoint())
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{nil, exitOK, "Available Commands"},
		{[]string{"--version"}, exitOK, "muster version"},
		{[]string{"lst"}, exitUsage, `unknown command "lst"`},
		{[]string{"ls", "a", "b"}, exitUsage, "at most 1 arg"},
		{[]string{"ls", "--colour"}, exitUsage, "unknown flag"},
		{[]string{"ls", "-o", "yaml"}, exitUsage, "want table or json"},
		{[]string{"ls", "a/b"}, exitUsage, "'/' separates"},
		{[]string{"ls", "--timeout", "0s"}, exitUsage, "--timeout"},
		{[]string{"ls"}, exitOK, "NAMESPACE"},
		{[]string{"ls", "user-svc"}, exitNone, "no instance of user-svc in dev/default"},
		{[]string{"watch", "a/b"}, exitUsage, "'/' separates"},
		{[]string{"offline", "user-svc"}, exitUsage, "accepts 2 arg"},
		{[]string{"offline", "user-svc", "10.0.0.1:1"}, exitNone, "no such instance: 10.0.0.1:1 of user-svc in dev/default"},
		{[]string{"offline", "user-svc", "10.0.0.1"}, exitUsage, "10.0.0.1"},
		{[]string{"offline", "user-svc", "10.0.0.1:1", "--for", "-1m"}, exitUsage, "--for"},
		{[]string{"offline", "user-svc", "10.0.0.1:1", "--for", "soon"}, exitUsage, "--for"},
		{[]string{"online", "user-svc", "10.0.0.1:1"}, exitNone, "no such instance"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			command(t, c.args...).want(t, c.code, c.text)
		})
	}
}

// TestEnvironment: what is wrong is named, and nothing is asked of etcd.
func TestEnvironment(t *testing.T) {
	for _, c := range []struct{ name, value, text string }{
		{"MUSTER_NAMESPACE", "Dev", "MUSTER_NAMESPACE"},
		{"MUSTER_NAMESPACE", "prod", "MUSTER_CONFIRM_NAMESPACE=prod"},
		{"MUSTER_LEASE_TTL", "soon", "MUSTER_LEASE_TTL"},
		{"MUSTER_ETCD_ENDPOINTS", "ftp://x", "MUSTER_ETCD_ENDPOINTS"},
		{"MUSTER_ETCD_CA_FILE", "/does/not/exist", "MUSTER_ETCD_CA_FILE"},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			for _, args := range [][]string{{"ls"}, {"watch"}, {"offline", "user-svc", "10.0.0.1:1"}, {"online", "user-svc", "10.0.0.1:1"}} {
				command(t, args...).want(t, exitUsage, c.text)
			}
		})
	}
}

// TestAway: where etcd does not answer the error says where it was looked for and why, and holds no secret.
func TestAway(t *testing.T) {
	ports, err := etcdtest.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	at(t, fmt.Sprintf("127.0.0.1:%d", ports[0]))
	const secret = "correct-horse-battery-staple"
	for _, user := range []string{"", "alice"} {
		if user != "" {
			t.Setenv("MUSTER_ETCD_USERNAME", user)
			t.Setenv("MUSTER_ETCD_PASSWORD", secret)
		}
		for _, args := range [][]string{{"ls"}, {"offline", "user-svc", "10.0.0.1:1"}, {"online", "user-svc", "10.0.0.1:1"}} {
			r := command(t, append(args, "--timeout", "1s")...)
			r.want(t, exitFailed, "has not answered within 1s", fmt.Sprint(ports[0]), "MUSTER_ETCD_ENDPOINTS")
			if strings.Contains(r.out+r.err, secret) {
				t.Errorf("the password is shown: %q %q", r.out, r.err)
			}
		}
	}
}
