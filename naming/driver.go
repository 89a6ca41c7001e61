package naming

import (
	"context"
	"time"
)

// Features says which of the optional capabilities a driver has. A gate follows the simplest rule where one is missing,
// and logs once that a floor can't be kept.
type Features struct {
	// Roster: instances that do not serve are known to be alive, with their Status; Census works.
	Roster bool
	// Floor: Withdraw honours its floor, atomically among all that try. Needs Roster. Without it each floor is strict.
	Floor bool
	// Marks: a leave or withdrawal is announced, so that clients can tell it from a lapse.
	Marks bool
	// Operator: an operator can take an instance out from outside; see Notice.
	Operator bool
}

// Registrar is the server's side of a driver. It must be safe for concurrent use.
type Registrar interface {
	// Features says what the driver can do. It never changes.
	Features() Features

	// Join puts an instance on the roster, not serving, and returns its membership. It errs, wrapping ErrInvalid, where
	// trying again can't help; with a *TakenError where the claim was made again and another live instance holds the
	// address; and with anything else where the registry did not answer as it should, which a caller tries again with a
	// backoff. After an error nothing is left behind, but what the lease of an unreachable registry takes along, and where the
	// address is taken, a note of that for its holder, which ends by itself.
	Join(ctx context.Context, c Claim) (Membership, error)
}

// Claim is what an instance asks for when it joins.
type Claim struct {
	// Instance must have been normalized and carry an ID.
	Instance Instance
	Status   Status
	// Again says that this process has held the address before. The first claim takes an address from whoever holds it,
	// since a restarted process must; a claim made again yields to another live holder, so that two never flap.
	Again bool
}

// Status is what an instance tells its roster, written on transitions only.
type Status struct {
	// State is the gate's word: waiting, serving, withdrawn, held, offline, draining.
	State string
	// Unfit says that critical probes fail. The floor counts these.
	Unfit bool
	// Probes holds one word for each probe.
	Probes map[string]string
	// Started is when the process began to register.
	Started time.Time
	// Version is the application's own, if it gave one.
	Version string
}

// Outcome is how a withdrawal ended.
type Outcome int

const (
	// Withdrawn: the instance no longer serves.
	Withdrawn Outcome = iota
	// Held: the floor refused; the instance serves on, and its roster entry says so.
	Held
)

// String returns "withdrawn" or "held".
func (o Outcome) String() string {
	if o == Held {
		return "held"
	}
	return "withdrawn"
}

// Membership is one joined instance. Its methods are called by one goroutine at a time, but Done, Err, Changed and
// Notice, which any may call.
//
// After an error of Publish, Withdraw or Annotate it is not known whether the registry did it; the caller calls again with
// what it wants now. After Done all of them return Err.
type Membership interface {
	// Publish lists the instance for traffic and writes its status. A degraded instance says so to clients. Publishing what
	// is published already only writes what differs.
	Publish(ctx context.Context, st Status, degraded bool) error

	// Withdraw takes the instance out of traffic if, after it has gone, the floor's part of the roster still serves. The
	// withdrawal is announced before it happens. It writes onWithdrawn or onHeld as the status, in the same transaction
	// where the driver has such.
	Withdraw(ctx context.Context, floor Floor, onWithdrawn, onHeld Status) (Outcome, error)

	// Annotate writes the status alone.
	Annotate(ctx context.Context, st Status) error

	// Census counts the service's instances. A driver without a roster returns the zero value.
	Census(ctx context.Context) (Census, error)

	// Leave announces the leave, removes everything that the membership wrote, and ends it. It may be called again, and
	// returns nil then. When it errs, because the registry did not answer, the membership has ended all the same and the
	// lease takes the rest along.
	Leave(ctx context.Context) error

	// Done is closed when the membership has ended.
	Done() <-chan struct{}

	// Err is nil until Done is closed, then why: wrapping ErrLeft, ErrLost, or a *TakenError.
	Err() error

	// Changed receives after Notice has changed. It has room for one, and the latest value wins.
	Changed() <-chan struct{}

	// Notice returns what the registry last said to this instance.
	Notice() Notice
}

// Notice is what a registry says to a member.
type Notice struct {
	// Offline is set while an operator keeps the instance out.
	Offline *Offline
	// Conflict says, in words for a person, that somebody else writes what is this instance's, or waits for its address;
	// empty while nobody does.
	Conflict string
}

// Offline is an operator's order to serve nobody.
type Offline struct {
	// By names who gave it.
	By string
	// Until is when it ends by itself; zero for never.
	Until time.Time
}

// Watcher is the client's side of a driver. It must be safe for concurrent use.
type Watcher interface {
	// Scope names the backend, its endpoints, root, namespace and group: two watchers that could give different answers
	// have different scopes. It holds no secret and never changes.
	Scope() string

	// Watch calls emit with a first complete view of the service and then with each new one, until ctx ends; it returns
	// ctx's error then, and ErrInvalid for a name that can't be one. Whatever happens to the registry meanwhile it goes on
	// trying, with a backoff, for ever. The calls of emit come one after another from Watch's own goroutine; a slow emit
	// makes later changes join into one. The first view may be empty, once the registry has said so.
	Watch(ctx context.Context, service string, emit func(Update)) error

	// Link returns the state of the connection. It never blocks.
	Link() Link
}
