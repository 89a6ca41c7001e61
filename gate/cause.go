package gate

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/muster-go/muster/health"
	"github.com/muster-go/muster/naming"
)

// allPass is what is said of probes of which none has to be named.
const allPass = "every critical probe passes"

// circumstances are what a change of state may be due to.
type circumstances struct {
	fit   bool
	bad   string // the critical probes that fail
	last  string // those that failed last
	floor naming.Floor
	order string // the operator's order that is in force
	turn  string // what has happened, beside what the probes say, since the registration last stood still
	ended error  // how the membership ended, while there is no other
	gone  error  // why the leave was not answered
}

// why says in short what led from one state to another.
func why(from, to health.Lifecycle, c circumstances) string {
	switch to {
	case health.Serving:
		if !c.fit { // it is listed until the registry has answered
			return c.bad + ", and the floor no longer needs it"
		}
		return cmp.Or(c.turn, allPass)
	case health.Held:
		does := "keeps it serving"
		if from == health.Withdrawn {
			does = "calls it back"
		}
		return fmt.Sprintf("%s, but the floor of %s %s", cmp.Or(c.bad, c.last), c.floor, does)
	case health.Withdrawn:
		switch {
		case !c.fit:
			return strings.TrimPrefix(c.turn+"; "+c.bad, "; ")
		case c.turn != "" || c.last == "":
			return cmp.Or(c.turn, allPass)
		}
		return c.last + " until a moment ago"
	case health.Offline:
		return c.order
	case health.Waiting:
		switch {
		case c.ended != nil:
			return "the membership has ended: " + c.ended.Error()
		case c.turn != "":
			return c.turn
		}
		return "registered"
	case health.Draining:
		return "deregistered"
	case health.Gone:
		if c.gone != nil {
			return "left, without an answer of the registry"
		}
		return "left"
	}
	return ""
}

// circumstances are the present ones.
func (o *owner) circumstances() circumstances {
	t := &o.trouble
	return circumstances{
		fit: o.s.fit, bad: o.bad(), last: t.last, floor: o.r.floor, order: o.order(), turn: t.turn, ended: t.ended,
		gone: o.r.unheard(),
	}
}

// order says which order of an operator's is in force.
func (o *owner) order() string {
	d := "offline"
	if p := o.trouble.order; p != nil {
		d += " by " + p.By
		if !p.Until.IsZero() {
			d += " until " + p.Until.UTC().Format(time.RFC3339)
		}
	}
	return d
}

// bad lists the critical probes that don't pass.
func (o *owner) bad() string {
	var all []string
	for i := range o.report.Probes {
		p := &o.report.Probes[i]
		if p.Level == health.Critical && !p.Word.Good() && p.Word != health.WordDisabled {
			all = append(all, p.Name+" "+string(p.Word))
		}
	}
	return strings.Join(all, ", ")
}
