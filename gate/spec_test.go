package gate

import (
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

func TestNewNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	ns := place(t)
	m, err := health.New(health.Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	d := namingtest.NewRegistry().Driver(ns)
	good := Options{Registrar: d, Monitor: m, Namespace: ns}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Options){
		"Options.Registrar":     func(o *Options) { o.Registrar = nil },
		"Options.Monitor":       func(o *Options) { o.Monitor = nil },
		"Options.Namespace":     func(o *Options) { o.Namespace = naming.Namespace{} },
		"Options.DrainDelay":    func(o *Options) { o.DrainDelay = -1 },
		"MUSTER_ADVERTISE_ADDR": func(o *Options) { o.Advertise = "0.0.0.0:80" },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one that names %s", err, want)
		}
	}
}

func TestRegisterNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.process(nil)
		defer p.close()
		negative := -time.Second
		good := Spec{Service: service, Listen: tcp("10.0.0.1", 8888)}
		for want, change := range map[string]func(*Spec){
			`kitexext.Service("...")`:   func(s *Spec) { s.Service = "" },
			"'/' separates":             func(s *Spec) { s.Service = "a/b" },
			"weight":                    func(s *Spec) { s.Weight = -1 },
			"Muster's own":              func(s *Spec) { s.Tags = map[string]string{"muster.x": "y"} },
			"Spec.DrainDelay":           func(s *Spec) { s.DrainDelay = &negative },
			"Spec.Advertise":            func(s *Spec) { s.Advertise = "[::]:80" },
			"link-local":                func(s *Spec) { s.Listen = tcp("169.254.1.1", 80) },
			"other machines can't dial": func(s *Spec) { s.Listen = &net.UnixAddr{Name: "/tmp/x", Net: "unix"} },
			"no listening address":      func(s *Spec) { s.Listen = nil },
			"not known yet":             func(s *Spec) { s.Listen = tcp("10.0.0.1", 0) },
		} {
			s := good
			change(&s)
			_, err := p.gate.Register(s)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want one that says %s", err, want)
			}
			if err != nil && want != "Spec.DrainDelay" && !errors.Is(err, naming.ErrInvalid) {
				t.Errorf("%v does not wrap ErrInvalid", err)
			}
		}
		if roster, _, _, _ := w.Residue(); roster != 0 {
			t.Error("something joined")
		}
		p.register(good)
	})
}

func TestTwoRegistrationsOfOneProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.process(func(o *Options) { o.Advertise = "10.0.0.1:8888" })
		defer p.close()
		one := Spec{Service: service, Listen: tcp("0.0.0.0", 1111)}
		r := p.register(one)
		if _, err := p.gate.Register(one); err == nil || !strings.Contains(err.Error(), "already") {
			t.Errorf("the same twice: %v", err)
		}
		two := one
		two.Service = "order-svc"
		p.register(two) // another service of the same server
		three := Spec{Service: "third-svc", Listen: tcp("0.0.0.0", 2222)}
		if _, err := p.gate.Register(three); err == nil || !strings.Contains(err.Error(), "a fixed port fits one server only") {
			t.Errorf("two servers under one fixed port: %v", err)
		}
		three.Advertise = "10.0.0.1:9999"
		p.register(three)
		if err := r.Deregister(); err != nil {
			t.Fatal(err)
		}
		p.register(one)
	})
}

func TestOneServiceMayDifferFromTheProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.process(nil)
		defer p.close()
		p.monitor.Start()
		one, delay := naming.Count(1), 7*time.Second
		kept := p.register(Spec{Service: "kept", Listen: tcp("10.0.0.1", 1), Floor: &one, DrainDelay: &delay})
		plain := p.register(Spec{Service: "plain", Listen: tcp("10.0.0.1", 2)})
		settle(time.Second)
		p.sick.Store(true)
		settle(time.Second)
		wantState(t, kept, health.Held)
		wantState(t, plain, health.Withdrawn)
		begin := time.Now()
		if err := kept.Deregister(); err != nil || time.Since(begin) != delay {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}
