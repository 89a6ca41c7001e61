package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"

	"github.com/muster-go/muster/chaos/internal/child"
	"github.com/muster-go/muster/internal/etcdtest"
)

// Pace is the time between two calls: 250 calls per second.
const Pace = 4 * time.Millisecond

// World is everything that one scenario runs on.
type World struct {
	Scenario Scenario
	TTL      time.Duration
	Rand     *rand.Rand
	Nodes    []*etcdtest.Process
	Observer *Observer
	Ledger   *Ledger
	Caller   *Process

	dir      string
	out      func(format string, args ...any)
	starter  *starter
	ports    *ports // guarded by mu once the cluster has started
	proxies  *toxiproxy.ApiServer
	lanes    map[string]*Lane
	tuning   Tuning
	began    time.Time
	loadFrom time.Time
	loadTo   time.Time

	mu       sync.Mutex // guards everything that follows
	all      []*Instance
	others   []*Process // crowds
	serial   int
	breaches []string
	excuses  []excuse
	blind    []excuse // times in which the caller can't know who has left
	restored time.Duration
	row      Row
}

// excuse is what a promise allows.
type excuse struct {
	from, to time.Time
	service  string
	most     int
	why      string
}

func newWorld(s Scenario, seed uint64, ports *ports, out func(string, ...any)) (*World, error) {
	dir, err := os.MkdirTemp("", "muster-chaos-")
	if err != nil {
		return nil, err
	}
	w := &World{
		Scenario: s, TTL: s.ttl(), Rand: rand.New(rand.NewPCG(seed, 0)), Ledger: newLedger(), dir: dir, out: out, ports: ports,
		starter: newStarter(), lanes: map[string]*Lane{}, began: time.Now(),
	}
	if s.Tune != nil {
		s.Tune(&w.tuning)
	}
	return w, nil
}

// Say prints a line about what is going on.
func (w *World) Say(format string, args ...any) {
	w.out("%s %-24s %6.1fs  %s", time.Now().Format("15:04:05.0"), w.Scenario.Name, time.Since(w.began).Seconds(), fmt.Sprintf(format, args...))
}

// Breach records a promise that was broken. The scenario goes on.
func (w *World) Breach(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.mu.Lock()
	w.breaches = append(w.breaches, text)
	w.mu.Unlock()
	w.Say("BROKEN: %s", text)
}

// Excuse lets calls to a service that began or were under way in that time fail, up to a number, for a reason that
// belongs to the promise. An empty service means both.
func (w *World) Excuse(from, to time.Time, service string, most int, why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.excuses = append(w.excuses, excuse{from, to, service, most, why})
}

// Blind lets calls go to an instance that has left, in that time and up to a number: the caller is cut off, or hears of it
// late.
func (w *World) Blind(from, to time.Time, service string, most int, why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blind = append(w.blind, excuse{from, to, service, most, why})
}

// start brings everything up and returns when calls have gone through every instance.
func (w *World) start(ctx context.Context) error {
	if err := w.startCluster(ctx); err != nil {
		return err
	}
	if w.Scenario.Proxied {
		w.proxies = newToxiproxy()
	}
	if w.Scenario.Prepare != nil {
		if err := w.Scenario.Prepare(ctx, w); err != nil {
			return err
		}
	}
	if w.Scenario.each() == 0 {
		return nil
	}
	for range w.Scenario.each() {
		for _, service := range []string{ServiceA, ServiceB} {
			if _, err := w.Spawn(ctx, service); err != nil {
				return err
			}
		}
	}
	for _, i := range w.Instances() {
		if err := i.awaitListening(ctx); err != nil {
			return err
		}
	}
	if err := w.awaitExpected(ctx); err != nil {
		return err
	}
	services := ServiceA + "," + ServiceB
	if w.Scenario.Late {
		services = ServiceA
	}
	env, err := w.env("caller")
	if err != nil {
		return err
	}
	env = append(env, child.RoleVar+"="+child.CallerRole, child.ServicesVar+"="+services, child.PaceVar+"="+Pace.String())
	if w.Caller, err = w.starter.start("caller", env, w.Ledger.add); err != nil {
		return err
	}
	if _, err := w.Caller.Await(ctx, 0, "the first call", func(e child.Event) bool { return e.Event == "calling" }); err != nil {
		return err
	}
	w.loadFrom = time.Now()
	var addrs []string
	for _, i := range w.Instances() {
		if !w.Scenario.Late || i.Service == ServiceA {
			addrs = append(addrs, i.Addr)
		}
	}
	return w.Ledger.AwaitAll(ctx, 0, addrs)
}

// env returns the environment of a process of Muster's with that name.
func (w *World) env(name string) ([]string, error) {
	endpoints := w.endpoints()
	if w.proxies != nil {
		w.mu.Lock()
		ports, err := w.ports.takeAll(len(endpoints))
		w.mu.Unlock()
		if err != nil {
			return nil, err
		}
		l, err := newLane(w.proxies, name, ports, endpoints)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		w.lanes[name] = l
		w.mu.Unlock()
		endpoints = l.endpoints()
	}
	return append([]string{
		"MUSTER_NAMESPACE=" + Namespace, "MUSTER_ETCD_ENDPOINTS=" + strings.Join(endpoints, ","),
		"MUSTER_LEASE_TTL=" + w.TTL.String(), "MUSTER_DRAIN_DELAY=300ms",
	}, w.Scenario.Env...), nil
}

// Lane returns a process's way to etcd.
func (w *World) Lane(name string) *Lane {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lanes[name]
}

// Lanes returns all processes' ways to etcd.
func (w *World) Lanes() []*Lane {
	w.mu.Lock()
	defer w.mu.Unlock()
	gone := map[string]bool{}
	for _, i := range w.all {
		gone[i.Name] = i.Want == Nothing
	}
	var all []*Lane
	for name, l := range w.lanes {
		if !gone[name] {
			all = append(all, l)
		}
	}
	return all
}

// HealAll ends whatever was done to the lanes.
func (w *World) HealAll(ctx context.Context) error {
	var errs []error
	for _, l := range w.Lanes() {
		errs = append(errs, l.Heal(ctx))
	}
	return errors.Join(errs...)
}

// close ends everything, by force.
func (w *World) close() {
	if w.Caller != nil {
		w.Caller.Signal(syscall.SIGKILL)
	}
	w.mu.Lock()
	all, others := w.all, w.others
	w.mu.Unlock()
	for _, i := range all {
		i.Process.Signal(syscall.SIGKILL)
		<-i.Process.done
	}
	for _, p := range others {
		p.Signal(syscall.SIGKILL)
		<-p.done
	}
	if w.Caller != nil {
		<-w.Caller.done
	}
	if w.Observer != nil {
		w.Observer.Close()
	}
	for _, n := range w.Nodes {
		n.Kill()
	}
	for _, l := range w.lanes {
		l.Cut()
	}
	close(w.starter.end)
	_ = os.RemoveAll(w.dir)
}

// Broken reports whether a promise has been broken so far.
func (w *World) Broken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.breaches) > 0
}
