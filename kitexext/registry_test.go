package kitexext

import (
	"slices"
	"testing"
	"time"

	"github.com/cloudwego/kitex/pkg/rpcinfo"
	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming/namingtest"
)

// A server is listed while it is fit, is called over TCP, and answers while it drains.
func TestAServerBehindTheGate(t *testing.T) {
	p := newProcess(t)
	p.sick.Store(true)
	s := start(t, WithRegistry(p.gate, Service("echo"), Weight(30), Tags(map[string]string{"zone": "a"}),
		DrainDelay(500*time.Millisecond)))
	direct := newClient(t)
	p.did(namingtest.Joined)
	p.stands(health.Waiting)
	if by, err := sayTo(t, direct, s.addr); err != nil || by != "me" {
		t.Fatalf("a call while the server waits: %q, %v", by, err)
	}
	healed := time.Now()
	p.sick.Store(false)
	got := p.lists("echo", 1)[0]
	if early := healed.Sub(p.did(namingtest.Published)); early > 0 {
		t.Errorf("published %v before it was fit", early)
	}
	if got.Addr != s.addr || got.Weight != 30 || got.Tags["zone"] != "a" || got.Network != "tcp" {
		t.Errorf("registered %+v, want %s", got, s.addr)
	}
	c, err := catalog.New(p.driver, catalog.Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cli := newClient(t, WithResolver(c))
	if by, err := say(t, cli); err != nil || by != "me" {
		t.Fatalf("%q, %v", by, err)
	}
	p.sick.Store(true)
	p.lists("echo", 0)
	p.sick.Store(false)
	p.lists("echo", 1)

	begin := time.Now()
	s.once.Do(func() { s.exit <- nil })
	p.lists("echo", 0)
	if by, err := sayTo(t, direct, s.addr); err != nil || by != "me" {
		t.Errorf("a call while the server drains: %q, %v", by, err)
	}
	if err := s.wait(t); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < 500*time.Millisecond {
		t.Errorf("drained in %v", took)
	}
}

// The gate's own names, with Kitex's basic info, before and after the option.
func TestTheNameOfAServer(t *testing.T) {
	p := newProcess(t)
	basic := server.WithServerBasicInfo(&rpcinfo.EndpointBasicInfo{ServiceName: "by-kitex", Tags: map[string]string{"rack": "r1"}})
	start(t, basic, WithRegistry(p.gate))
	start(t, WithRegistry(p.gate), basic)
	for _, in := range p.lists("by-kitex", 2) {
		if in.Tags["rack"] != "r1" {
			t.Errorf("tags %q", in.Tags)
		}
	}
	// Kitex's own options, and so its traces, know the name that only the option sets; the user's info stays as it is.
	user := &rpcinfo.EndpointBasicInfo{Tags: map[string]string{"rack": "r2"}}
	var o *server.Options
	start(t, server.WithServerBasicInfo(user), WithRegistry(p.gate, Service("by-option")), peek(&o))
	if in := p.lists("by-option", 1)[0]; in.Tags["rack"] != "r2" {
		t.Errorf("tags %q", in.Tags)
	}
	if o.Svr.ServiceName != "by-option" || user.ServiceName != "" {
		t.Errorf("Kitex's name is %q, the user's %q", o.Svr.ServiceName, user.ServiceName)
	}
	start(t, WithRegistry(p.gate, Service("by-option")), server.WithServerBasicInfo(user))
	p.lists("by-option", 2)
}

// One value of the option registers each of its servers, and one server under several names.
func TestOneOptionForSeveralServers(t *testing.T) {
	p := newProcess(t)
	option := WithRegistry(p.gate, Service("echo"), FurtherServices("echo.v2", "echo.admin"))
	one, two := start(t, option), start(t, option)
	want := []string{one.addr, two.addr}
	slices.Sort(want)
	for _, service := range []string{"echo", "echo.v2", "echo.admin"} {
		var got []string
		for _, in := range p.lists(service, 2) {
			got = append(got, in.Addr)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s at %q, want %q", service, got, want)
		}
	}
	one.stop(t)
	for _, service := range []string{"echo", "echo.v2", "echo.admin"} {
		if got := p.lists(service, 1)[0].Addr; got != two.addr {
			t.Errorf("%s at %s, want %s", service, got, two.addr)
		}
	}
}
