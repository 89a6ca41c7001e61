package kitexext

// foreignCall is one of the two things that a Kitex registry can be asked.
type foreignCall int

const (
	callNothing foreignCall = iota
	callRegister
	callDeregister
)

// String returns the method's name.
func (c foreignCall) String() string {
	return [...]string{"nothing", "Register", "Deregister"}[c]
}

// listing is what is known of one instance in a foreign registry.
type listing int

const (
	listingAbsent listing = iota
	// listingDoubtful: a Register has failed, which may have had its effect all the same.
	listingDoubtful
	listingPresent
)

// foreign is the state of one instance in a foreign registry, of which no more is known than what its calls returned.
type foreign struct {
	want bool // to be listed
	have listing
	// stale says that an instance that is taken for listed has to be registered again to be served: with other values, or
	// since a Deregister, of which no more is known, may have removed it.
	stale bool
}

// next returns the call that brings the state nearer to what is wanted.
func (s foreign) next() foreignCall {
	switch {
	case s.want && (s.have != listingPresent || s.stale):
		return callRegister
	case !s.want && s.have != listingAbsent:
		return callDeregister
	}
	return callNothing
}

// returned is the state after a call has returned. failed says that it is to be called again.
func (s foreign) returned(c foreignCall, ok bool) (_ foreign, failed bool) {
	switch {
	case c == callRegister && ok:
		s.have, s.stale = listingPresent, false
	case c == callRegister && s.have == listingAbsent:
		s.have = listingDoubtful
	case c == callDeregister && (ok || s.have == listingDoubtful):
		// What was never known to be listed is taken out once, and an error of that tells nothing: registry-etcd even
		// panics there.
		s.have, s.stale = listingAbsent, false
	case c == callDeregister:
		s.stale = true
	}
	return s, !ok && s.next() == c
}

// abandoned is the state after a call has not returned for so long that it is not waited for any more.
func (s foreign) abandoned(c foreignCall) foreign {
	switch {
	case c == callRegister && s.have == listingAbsent:
		s.have = listingDoubtful
	case c == callDeregister:
		// To call it again would only hang again. If it fails in the end, it comes back as late.
		s.have, s.stale = listingAbsent, false
	}
	return s
}

// late is the state after an abandoned call has returned, whatever was called in between.
func (s foreign) late(c foreignCall, ok bool) foreign {
	switch {
	case c == callRegister && ok:
		s.have = listingPresent
	case c == callRegister && s.have == listingAbsent:
		s.have = listingDoubtful
	case c == callDeregister && s.have == listingPresent:
		s.stale = true
	case c == callDeregister && !ok && s.have == listingAbsent:
		s.have, s.stale = listingPresent, true
	}
	return s
}
