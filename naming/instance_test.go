package naming

import (
	"errors"
	"net"
	"strings"
	"testing"
)

func TestCheckService(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{
		"user-svc": true, "a.b.UserService": true, "a b": true, "用户": true, strings.Repeat("x", 253): true, ".roster": true,
		"": false, "a/b": false, "/": false, "a\nb": false, "a\x00": false, "a\u0085": false, "\xff": false, strings.Repeat("x", 254): false,
	} {
		err := CheckService(s)
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", s, err)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
}

func TestCheckAddr(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{
		"10.0.0.1:80": true, "127.0.0.1:1": true, "[::1]:65535": true, "[2001:db8::1]:80": true, "host:80": true, "a.b.c:80": true,
		"localhost:80": true, "[::ffff:10.0.0.1]:80": true,
		"": false, "10.0.0.1": false, "10.0.0.1:": false, ":80": false, "10.0.0.1:0": false, "10.0.0.1:65536": false,
		"10.0.0.1:-1": false, "10.0.0.1:+80": false, "10.0.0.1:080": false, "10.0.0.1:http": false, "::1:80": false,
		"0.0.0.0:80": false, "[::]:80": false, "169.254.1.1:80": false, "[fe80::1]:80": false, "[fe80::1%eth0]:80": false,
		"[::ffff:0.0.0.0]:80": false, "[::ffff:169.254.0.1]:80": false,
		"[10.0.0.1]:80": false, "[host]:80": false, "0:80": false, "10.0.0.256:80": false, "10.0.1:80": false, "[1::2::3]:80": false,
		"10.0.0.1.:80": false, ".:80": false, "host.:80": true, "1a:80": true, "10.svc:80": true,
		"224.0.0.1:80": false, "[ff02::1]:80": false, "a/b:80": false, "a b:80": false, "a\n:80": false, "\xff:80": false,
		strings.Repeat("a", 254) + ":80": false,
	} {
		err := CheckAddr(s)
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzCheckAddr(f *testing.F) {
	for _, s := range []string{"10.0.0.1:80", "[::1]:80", "[fe80::1%a/b]:80", "host:080", "0:80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckAddr(s) != nil {
			return
		}
		host, port, err := net.SplitHostPort(s)
		if err != nil || host == "" || port == "" || port[0] == '0' || strings.ContainsAny(s, "/\n\x00 ") {
			t.Errorf("%q passes", s)
		}
		if ip := net.ParseIP(host); ip != nil && (ip.IsUnspecified() || ip.IsLinkLocalUnicast()) {
			t.Errorf("%q passes", s)
		}
		if got := net.JoinHostPort(host, port); got != s {
			t.Errorf("%q can be written as %q too: one instance would have two keys", s, got)
		}
	})
}

func FuzzCheckService(f *testing.F) {
	f.Add("user-svc")
	f.Add("a/b")
	f.Fuzz(func(t *testing.T, s string) {
		if CheckService(s) == nil && (s == "" || len(s) > 253 || strings.ContainsAny(s, "/\n\r\x00\x7f")) {
			t.Errorf("%q passes", s)
		}
	})
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	good := Instance{Service: "user-svc", Addr: "10.0.0.1:80"}
	in, err := good.Normalize()
	if err != nil || in.Network != "tcp" || in.Weight != DefaultWeight {
		t.Fatalf("%+v, %v", in, err)
	}
	if again, err := in.Normalize(); err != nil || !again.Equal(&in) {
		t.Errorf("normalized twice: %+v, %v", again, err)
	}
	for what, change := range map[string]func(*Instance){
		"service": func(i *Instance) { i.Service = "" },
		"address": func(i *Instance) { i.Addr = "10.0.0.1" },
		"weight":  func(i *Instance) { i.Weight = -1 },
		"tag":     func(i *Instance) { i.Tags = map[string]string{"muster.id": "x"} },
	} {
		i := good
		change(&i)
		if _, err := i.Normalize(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	heavy := good
	if heavy.Weight = MaxWeight; true {
		if _, err := heavy.Normalize(); err != nil {
			t.Error(err)
		}
	}
	if heavy.Weight++; true {
		if _, err := heavy.Normalize(); err == nil {
			t.Error("too heavy")
		}
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	base := Instance{Service: "s", Network: "tcp", Addr: "10.0.0.1:80", Weight: 1, Tags: map[string]string{"a": "b"}, ID: "x"}
	same := base
	same.Tags = map[string]string{"a": "b"}
	if !base.Equal(&same) || !base.Equal(&base) {
		t.Error("equal ones differ")
	}
	for what, change := range map[string]func(*Instance){
		"service":  func(i *Instance) { i.Service = "t" },
		"network":  func(i *Instance) { i.Network = "udp" },
		"addr":     func(i *Instance) { i.Addr = "10.0.0.2:80" },
		"weight":   func(i *Instance) { i.Weight = 2 },
		"tags":     func(i *Instance) { i.Tags = map[string]string{"a": "c"} },
		"no tags":  func(i *Instance) { i.Tags = nil },
		"id":       func(i *Instance) { i.ID = "" },
		"degraded": func(i *Instance) { i.Degraded = true },
	} {
		o := base
		change(&o)
		if base.Equal(&o) {
			t.Errorf("another %s is equal", what)
		}
	}
	none, empty := base, base
	none.Tags, empty.Tags = nil, map[string]string{}
	if !none.Equal(&empty) {
		t.Error("no tags differ from an empty map")
	}
}
