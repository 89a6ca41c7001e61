package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/muster-go/muster/chaos/internal/child"
)

// Want is what should be in the registry of an instance.
type Want int

// What may be wanted.
const (
	Serving Want = iota // listed for traffic
	Alive               // on the roster only
	Nothing
)

// Instance is one instance of a service, as a process.
type Instance struct {
	*Process
	Service    string
	Addr, HTTP string
	// Want is what the registry should show once everything has settled.
	Want Want

	w       *World
	excused bool // it was killed, so that nothing can be asked of its end
	told    bool // it has been asked to end
	asked   bool // its end has been accounted for
}

// Key is the instance's serving key, Roster its roster key.
func (i *Instance) Key() string { return ServingKey(i.Service, i.Addr) }

// Roster is the instance's roster key.
func (i *Instance) Roster() string { return RosterKey(i.Service, i.Addr) }

// Spawn starts one more instance, with further variables of its environment.
func (w *World) Spawn(_ context.Context, service string, env ...string) (*Instance, error) {
	w.mu.Lock()
	w.serial++
	name := fmt.Sprintf("%s-%d", strings.TrimPrefix(service, "svc-"), w.serial)
	w.mu.Unlock()
	all, err := w.env(name)
	if err != nil {
		return nil, err
	}
	listen, err := w.Address()
	if err != nil {
		return nil, err
	}
	all = append(append(all, child.ListenVar+"="+listen, child.RoleVar+"="+child.InstanceRole, child.ServiceVar+"="+service), env...)
	p, err := w.starter.start(name, all, nil)
	if err != nil {
		return nil, err
	}
	i := &Instance{Process: p, Service: service, w: w}
	w.mu.Lock()
	w.all = append(w.all, i)
	w.mu.Unlock()
	return i, nil
}

// SpawnListening starts one more instance and waits until it listens.
func (w *World) SpawnListening(ctx context.Context, service string, env ...string) (*Instance, error) {
	i, err := w.Spawn(ctx, service, env...)
	if err != nil {
		return nil, err
	}
	return i, i.awaitListening(ctx)
}

// Crowd starts a process that registers many instances at once.
func (w *World) Crowd(number, count int, service string) (*Process, error) {
	name := fmt.Sprintf("crowd-%d", number)
	env, err := w.env(name)
	if err != nil {
		return nil, err
	}
	p, err := w.starter.start(name, append(env, child.RoleVar+"="+child.CrowdRole, child.ServiceVar+"="+service,
		child.CountVar+"="+fmt.Sprint(count), child.NumberVar+"="+fmt.Sprint(number)), nil)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.others = append(w.others, p)
	w.mu.Unlock()
	return p, nil
}

func (i *Instance) awaitListening(ctx context.Context) error {
	e, err := i.Await(ctx, 0, "listening", func(e child.Event) bool { return e.Event == "listening" })
	i.Addr, i.HTTP = e.RPC, e.HTTP
	return err
}

// Instances returns those that have not been stopped or killed.
func (w *World) Instances() []*Instance {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.all), func(i *Instance) bool { return i.Want == Nothing })
}

// Of returns the instances of one service.
func (w *World) Of(service string) []*Instance {
	return slices.DeleteFunc(w.Instances(), func(i *Instance) bool { return i.Service != service })
}

// Kill ends an instance with SIGKILL; nothing is asked of it any more.
func (i *Instance) Kill() {
	i.set(Nothing)
	i.excused = true
	i.Signal(syscall.SIGKILL)
	<-i.done
}

// Term ends an instance with SIGTERM and waits for it.
func (i *Instance) Term(ctx context.Context) error {
	i.AskToEnd()
	if _, err := i.Wait(ctx); err != nil {
		return err
	}
	i.w.account(i)
	return nil
}

// AskToEnd sends an instance SIGTERM, once.
func (i *Instance) AskToEnd() {
	i.set(Nothing)
	if i.told {
		return
	}
	i.told = true
	if !slices.ContainsFunc(i.w.Instances(), func(o *Instance) bool { return o.Key() == i.Key() }) {
		i.w.Observer.tell(i.Key()) // where another one has the address, too, its listing is not this one's
	}
	i.Signal(syscall.SIGTERM)
}

// Expect says what the registry is to show of the instance from now on.
func (i *Instance) Expect(want Want) { i.set(want) }

func (i *Instance) set(want Want) {
	i.w.mu.Lock()
	defer i.w.mu.Unlock()
	i.Want = want
}

// Port is where the instance listens.
func (i *Instance) Port() string {
	_, port, _ := net.SplitHostPort(i.Addr)
	return port
}

// Registration is what an instance says of itself.
type Registration struct {
	State  string `json:"state"`
	Detail string `json:"detail"`
}

// Health asks an instance's /healthz?verbose.
func (i *Instance) Health(ctx context.Context) (Registration, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.HTTP+"/healthz?verbose", nil)
	if err != nil {
		return Registration{}, err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return Registration{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return Registration{}, err
	}
	var body struct{ Registrations []Registration }
	if err := json.Unmarshal(b, &body); err != nil {
		return Registration{}, fmt.Errorf("%s: %w", b, err)
	}
	if len(body.Registrations) == 0 {
		return Registration{}, nil
	}
	return body.Registrations[0], nil
}

// AwaitHealth waits until /healthz?verbose says what is wanted.
func (i *Instance) AwaitHealth(ctx context.Context, what string, match func(Registration) bool) error {
	for {
		r, err := i.Health(ctx)
		if err == nil && match(r) {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: /healthz?verbose does not say %s but %+v (%v)\n%s", i.Name, what, r, err, i.Tail(8))
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// AwaitState waits until the instance says that it is in a state.
func (i *Instance) AwaitState(ctx context.Context, state string) error {
	return i.AwaitHealth(ctx, state, func(r Registration) bool { return r.State == state })
}

// TermEarly ends a process with SIGTERM that may not have got so far as to handle it.
func (i *Instance) TermEarly(ctx context.Context) error {
	i.set(Nothing)
	i.Signal(syscall.SIGTERM)
	if _, err := i.Wait(ctx); err != nil {
		return err
	}
	if s, ok := i.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGTERM {
		i.excused = true
	}
	i.w.account(i)
	return nil
}
