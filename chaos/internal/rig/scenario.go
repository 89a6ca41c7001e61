// Package rig is what the scenarios of the fault suite share: a three-node etcd of its own for each, instances of two
// services and a caller as processes, ways to break what lies between them, and an observer that shares no code with Muster.
package rig

import (
	"context"
	"time"
)

// Scenario is one fault, and what Muster promises under it.
type Scenario struct {
	// Name is what -run selects, Fault and Promise what the table says.
	Name, Fault, Promise string
	// TTL is the lease's; 3 s where it is 0.
	TTL time.Duration
	// Each is how many instances there are of each service; 3 where it is 0, none where it is negative.
	Each int
	// Proxied gives each process a way of its own to etcd, which can be broken.
	Proxied bool
	// Late leaves svc-b uncalled until the scenario has it called.
	Late bool
	// Long scenarios are started first, so that the others run beside them.
	Long bool
	// Alone scenarios are run last, with nothing beside them: what they measure is time.
	Alone bool
	// Env is added to the environment of every process of Muster's.
	Env []string
	// Tune changes the cluster before it starts.
	Tune func(*Tuning)
	// Prepare is called when the cluster serves, before anything else starts.
	Prepare func(ctx context.Context, w *World) error
	// Limit bounds the whole; 2 minutes where it is 0.
	Limit time.Duration
	// Run injects the fault and checks what comes of it. An error ends the scenario; a broken promise is a Breach.
	Run func(ctx context.Context, w *World) error
}

// Tuning is what a scenario may want of its cluster.
type Tuning struct {
	QuotaBytes int64
	// User is etcd's root user once Prepare has enabled authentication, with its name for a password.
	User     string
	TokenTTL uint
}

// The services.
const (
	ServiceA = "svc-a"
	ServiceB = "svc-b"
)

func (s Scenario) ttl() time.Duration {
	if s.TTL == 0 {
		return 3 * time.Second
	}
	return s.TTL
}

func (s Scenario) limit() time.Duration {
	if s.Limit == 0 {
		return 2 * time.Minute
	}
	return s.Limit
}

func (s Scenario) each() int {
	switch {
	case s.Each == 0:
		return 3
	case s.Each < 0:
		return 0
	}
	return s.Each
}
