package kitexext

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudwego/kitex/pkg/registry"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	"github.com/muster-go/muster/naming/namingtest"
)

// A wrong configuration ends the server, with an error that says what to do.
func TestAServerThatCannotBeRegistered(t *testing.T) {
	p := newProcess(t)
	t.Run("servers", func(t *testing.T) {
		for _, tt := range []struct {
			opts []server.Option
			want string
		}{
			{[]server.Option{WithRegistry(p.gate)}, "kitexext.Service"},
			{[]server.Option{WithRegistry(nil, Service("echo"))}, "nil gate"},
			{[]server.Option{WithRegistry(p.gate, Service("a/b"))}, "'/'"},
			{[]server.Option{WithRegistry(p.gate, Service("echo"), FurtherServices(""))}, "no name"},
			{[]server.Option{WithRegistry(p.gate, Service("echo"), FurtherServices("c/d"))}, `"c/d"`}, // the first one is registered by then
			{[]server.Option{WithRegistry(p.gate, Service("echo"), DrainDelay(-1))}, "DrainDelay"},
			{[]server.Option{WithRegistry(p.gate, Service("echo"), Advertise("169.254.1.1"))}, "link-local"},
			{[]server.Option{WithRegistry(p.gate, Service("echo"), Weight(-1))}, "weight"},
			{[]server.Option{WithRegistry(p.gate, Service("echo"), Tags(map[string]string{"muster.x": "y"}))}, "muster."},
			{[]server.Option{
				WithRegistry(p.gate, Service("echo")), server.WithServerBasicInfo(&rpcinfo.EndpointBasicInfo{ServiceName: "other"}),
			}, `"other"`},
		} {
			t.Run(tt.want, func(t *testing.T) {
				t.Parallel()
				s := start(t, tt.opts...)
				s.once.Do(func() {})
				if err := s.wait(t); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Run: %v, want an error with %s", err, tt.want)
				}
			})
		}
	})
	// All of them are over, and nothing stays.
	roster, serving, memberships, watches := p.reg.Residue()
	if roster+serving+memberships+watches != 0 || len(p.monitor.Report().Registrations) != 0 {
		t.Errorf("%d on the roster, %d listed, %d memberships, %d watches, %d registrations stay", roster, serving, memberships, watches,
			len(p.monitor.Report().Registrations))
	}
}

// A server that is stopped in its first second has never been registered.
func TestStoppedBeforeItRegisters(t *testing.T) {
	p := newProcess(t)
	s := start(t, WithRegistry(p.gate, Service("echo")))
	begin := time.Now()
	sayTo := newClient(t)
	if _, err := sayTo.Say(t.Context(), &echo.Request{}, hostPort(s.addr)); err != nil {
		t.Fatal(err) // it runs
	}
	s.stop(t)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("took %v", took)
	}
	if n := p.driver.Requests(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// Deregister comes without Register, twice, at once, and with nil; Register after it does nothing.
func TestDeregisterInAnyOrder(t *testing.T) {
	p := newProcess(t)
	info := &registry.Info{ServiceName: "echo", Addr: listener}
	r := &serverRegistry{gate: p.gate}
	must(t, r.Deregister(info))
	must(t, r.Deregister(nil))
	must(t, r.Register(info))
	must(t, r.Register(nil))
	p.lists("echo", 0)

	r = &serverRegistry{gate: p.gate}
	if err := r.Register(nil); err == nil {
		t.Error("a nil info is registered")
	}
	must(t, r.Register(info))
	p.lists("echo", 1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { must(t, r.Deregister(info)) })
	}
	wg.Wait()
	p.lists("echo", 0)
	must(t, r.Deregister(info))
}

// Deregister is bounded whatever the registry does, and its outage is no error of Run.
func TestDeregisterDuringAnOutage(t *testing.T) {
	for _, f := range []namingtest.Fault{namingtest.Refuse, namingtest.Hang} {
		t.Run(fmt.Sprint(f), func(t *testing.T) {
			p := newProcess(t)
			const delay = 200 * time.Millisecond
			s := start(t, WithRegistry(p.gate, Service("echo"), FurtherServices("echo2"), DrainDelay(delay)))
			p.lists("echo", 1)
			p.lists("echo2", 1)
			p.reg.Break(f)
			begin := time.Now()
			s.stop(t)
			if took := time.Since(begin); took > delay+3*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// A server that starts while the registry is away runs, and is listed when it answers.
func TestAServerThatStartsInAnOutage(t *testing.T) {
	p := newProcess(t)
	p.driver.Break(namingtest.Refuse)
	s := start(t, WithRegistry(p.gate, Service("echo")))
	p.stands(health.Waiting) // the gate has been asked to register
	if by, err := sayTo(t, newClient(t), s.addr); err != nil || by != "me" {
		t.Errorf("%q, %v", by, err)
	}
	p.driver.Break(namingtest.None)
	p.lists("echo", 1)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Error(err)
	}
}
