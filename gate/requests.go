package gate

import (
	"context"
	"errors"
	"time"

	"github.com/muster-go/muster/naming"
)

// requestLimit bounds each request but the leave.
const requestLimit = 3 * time.Second

// shortLooks is how many looks in a row must find too few serving before an unfit instance helps out though few are unfit:
// instances that have just joined make it so for a moment, and a broken one is no help then.
const shortLooks = 2

// do does one action and returns its result.
func (o *owner) do(a action) event {
	switch a {
	case leave:
		return o.leave()
	case linger:
		o.r.mu.Lock()
		d := o.r.linger
		o.r.mu.Unlock()
		if d > 0 {
			<-time.After(d)
		}
		return evLingered
	}
	ctx, cancel := context.WithTimeout(o.r.living, requestLimit)
	defer cancel()
	e, err := o.request(ctx, a)
	if err != nil {
		o.failed(a, err)
		return evFailed
	}
	if !o.rejoined || time.Since(o.joinedAt) >= young {
		o.retries.Reset()
	}
	o.trouble.over(o.r)
	return e
}

// request makes the request of an action.
func (o *owner) request(ctx context.Context, a action) (event, error) {
	switch a {
	case join:
		return o.join(ctx)
	case publish, publishDegraded:
		st := o.status(o.s.after(evPublished))
		err := o.m.Publish(ctx, st, a == publishDegraded)
		return o.wrote(evPublished, st, err)
	case withdraw, remove:
		floor := o.r.floor
		if a == remove {
			floor = naming.Floor{}
		}
		out, held := o.status(o.s.after(evWithdrawn)), o.status(o.s.after(evHeld))
		outcome, err := o.m.Withdraw(ctx, floor, out, held)
		if outcome == naming.Held && a == withdraw {
			return o.wrote(evHeld, held, err)
		}
		return o.wrote(evWithdrawn, out, err)
	case annotate:
		st := o.status(o.s.life)
		return o.wrote(evAnnotated, st, o.m.Annotate(ctx, st))
	case census:
		return o.count(ctx)
	}
	return evFailed, errors.New("gate: not a request")
}

func (o *owner) join(ctx context.Context) (event, error) {
	st := o.status(o.s.after(evJoined))
	m, err := o.r.gate.o.Registrar.Join(ctx, naming.Claim{Instance: o.r.in, Status: st, Again: o.again})
	if err != nil {
		return evFailed, err
	}
	o.m, o.again, o.joinedAt = m, true, time.Now()
	o.trouble.joined()
	return o.wrote(evJoined, st, nil)
}

// count looks at the others and says what the floor makes of them.
func (o *owner) count(ctx context.Context) (event, error) {
	c, err := o.m.Census(ctx)
	o.lookAt = time.Now().Add(o.looks.NextBackOff())
	if err != nil {
		return evFailed, err
	}
	o.census = c
	if o.r.floor.Short(c) {
		o.short++
	} else {
		o.short = 0
	}
	switch {
	case o.r.floor.Opens(c) || o.short >= shortLooks:
		return evOpens, nil
	case o.r.floor.Permits(c, true):
		if o.s.kept {
			o.lookAt = time.Now().Add(calmPause())
		}
		return evPermits, nil
	}
	return evStays, nil
}

// leave ends the membership, within its own limit.
func (o *owner) leave() event {
	ctx, cancel := context.WithTimeout(context.Background(), leaveLimit)
	defer cancel()
	err := o.m.Leave(ctx)
	o.m = nil
	if err != nil {
		o.r.unanswered(err)
		return evFailed
	}
	return evLeft
}

// failed takes an unanswered or refused request in.
func (o *owner) failed(a action, err error) {
	if o.r.living.Err() != nil {
		return // the drain has ended it
	}
	pause := o.retries.NextBackOff()
	if a == join && errors.Is(err, naming.ErrInvalid) {
		pause = refusedPause
	}
	o.retryAt = time.Now().Add(pause)
	o.trouble.failed(o.r, a, err)
}
