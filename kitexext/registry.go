package kitexext

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cloudwego/kitex/pkg/registry"
	"github.com/cloudwego/kitex/pkg/utils"
	"github.com/cloudwego/kitex/server"

	"github.com/muster-go/muster/gate"
)

// WithRegistry registers a Kitex server through the gate: it is listed once every critical probe passes, withdrawn while one
// fails, and drained when it stops. It takes the place of server.WithRegistry; the later of the two wins.
//
// Kitex registers one second after the start. From then on nothing about the registry blocks or ends the server; only a
// wrong configuration does (no service name, an address that nobody can dial, options that contradict each other), by an
// error of Run. When the server stops, by a signal or by Stop, Kitex deregisters before it closes the listener: that is the
// drain, which lasts for the drain delay and three seconds more at most, whatever the registry does. That a registry did not
// answer the leave is logged, and is no error of Run.
//
// The value may be given to several servers; each of them is registered on its own. Of Kitex's registry info it takes the
// service name, the weight, the tags and, with SkipListenAddr, the address; the rest, such as WarmUp, has no effect.
func WithRegistry(g *gate.Gate, opts ...RegistryOption) server.Option {
	var ro registryOptions
	for _, o := range opts {
		if o != nil {
			o.applyRegistry(&ro)
		}
	}
	return server.Option{F: func(o *server.Options, di *utils.Slice) {
		di.Push(fmt.Sprintf("kitexext.WithRegistry(%s)", ro.service))
		if ro.service != "" && o.Svr.ServiceName == "" {
			svr := *o.Svr // it may be the user's, for several servers
			svr.ServiceName = ro.service
			o.Svr = &svr
		}
		// A new one for each server that the option is applied to: what is registered is the server's, not the option's.
		o.Registry = &serverRegistry{gate: g, o: ro}
	}}
}

// serverRegistry is the gate as one Kitex server sees it.
type serverRegistry struct {
	gate *gate.Gate
	o    registryOptions

	mu   sync.Mutex // guards everything that follows
	gone bool
	live []*gate.Registration
}

var errNilGate = errors.New("kitexext: WithRegistry got a nil gate: pass the one of muster.FromEnv, or of gate.New")

// Register implements registry.Registry. Kitex calls it with the server's lock held, and ends the server on an error.
func (s *serverRegistry) Register(info *registry.Info) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		// The server has been stopped in its first second. Kitex may even call with a nil info then.
		return nil
	}
	if s.gate == nil {
		return errNilGate
	}
	specs, err := s.o.specs(info)
	if err != nil {
		return err
	}
	for _, spec := range specs {
		r, err := s.gate.Register(spec)
		if err != nil {
			return fmt.Errorf("kitexext: WithRegistry: %w", err) // Kitex deregisters the others now
		}
		s.live = append(s.live, r)
	}
	return nil
}

// Deregister implements registry.Registry. Kitex may call it without Register, and again.
func (s *serverRegistry) Deregister(*registry.Info) error {
	s.mu.Lock()
	s.gone = true
	live := s.live
	s.mu.Unlock()

	var wg sync.WaitGroup
	for _, r := range live {
		// Its error says that the registry did not answer, which the gate has logged. The server has stopped as it should
		// all the same, and Kitex would make Run return it.
		wg.Go(func() { _ = r.Deregister() })
	}
	wg.Wait()
	return nil
}
