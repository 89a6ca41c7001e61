package gate

import "github.com/muster-go/muster/health"

// calmLooks is how many looks in a row must find an orderly withdrawal permitted before a held instance tries one again.
const calmLooks = 3

// event is one thing that happened to a registration.
type event int

const (
	// Facts. They may come at any time.
	evFit       event = iota // every critical probe passes
	evUnfit                  // not so
	evOffline                // an operator's order
	evOnline                 // and its end
	evLost                   // the membership has ended: join again at once
	evLostAgain              // the same, so soon after joining that the next attempt has to wait
	evStatus                 // the roster's entry is out of date
	evLook                   // it is time for an unfit instance to look at the others
	evRetry                  // it is time to try again after a failure
	evDrain                  // leave for good

	// Results of the action in progress. At any other time they mean nothing.
	evJoined
	evPublished
	evWithdrawn
	evHeld
	evAnnotated
	evOpens   // too many are unfit: the withdrawn serve again
	evPermits // the floor would let this one go
	evStays   // neither
	evLeft
	evLingered
	evFailed // whether it was done is not known

	events // how many there are
)

// action is what the owner does next. Each but idle and stop ends with a result.
type action int

const (
	idle action = iota
	join
	publish         // plainly
	publishDegraded // unfit, since the floor needs it
	withdraw        // if the floor lets it go
	remove          // by an operator's order: no floor
	annotate
	census
	leave
	linger // serve on for the drain delay
	stop
)

// listing is what the registry lists of the instance, as far as is known.
type listing int

const (
	unlisted listing = iota
	plain
	degraded
	unsure // a request failed that may have been done all the same
)

// state is all that a registration's decisions depend on. The zero value is a registration that has just begun.
type state struct {
	life    health.Lifecycle
	doing   action // the action in progress
	joined  bool   // the membership is alive
	fit     bool
	once    bool // it has been fit since it was registered
	offline bool
	listed  listing
	served  bool // it has been listed, or may have been
	kept    bool // unfit, and the floor keeps it serving
	mark    bool // it has to be listed as degraded
	calm    int  // looks in a row that would have let it go
	due     bool // it has to look
	told    bool // the roster's entry is up to date
	blocked bool // the last request failed: wait for evRetry
	left    bool
	waited  bool
}
