package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/muster-go/muster/naming/etcd"
)

// level is how much a finding matters.
type level int

const (
	fine level = iota
	warning
	fault
)

func (l level) String() string { return [...]string{"ok", "warning", "FAULT"}[l] }

// finding is one thing that the doctor has to say.
type finding struct {
	level         level
	subject, text string
	// next is what to do about it.
	next string
}

type findings struct{ list []finding }

func (all *findings) addf(l level, subject, next, format string, args ...any) {
	all.list = append(all.list, finding{level: l, subject: subject, text: fmt.Sprintf(format, args...), next: next})
}

func (all *findings) count(l level) (n int) {
	for _, x := range all.list {
		if x.level == l {
			n++
		}
	}
	return n
}

// verdict sums up: the first fault decides, since later ones may come of it; without one the warnings.
func (all *findings) verdict() (text string, next []string) {
	for _, x := range all.list {
		if x.level == fault {
			return x.text, []string{x.next}
		}
	}
	for _, x := range all.list {
		if x.level == warning {
			next = append(next, x.next)
		}
	}
	switch len(next) {
	case 0:
		return "everything is in order", []string{"nothing to do"}
	case 1:
		return "it works, with one warning", next
	}
	return fmt.Sprintf("it works, with %d warnings", len(next)), next
}

// judge makes findings of facts.
func judge(f facts) *findings {
	all := &findings{}
	judgeEnvironment(all, f)
	judgeNamespace(all, f)
	if f.examErr != nil {
		all.addf(fault, "etcd", "correct the configuration", "%v", f.examErr)
	}
	if f.exam == nil {
		return all
	}
	judgeEndpoints(all, f.exam)
	if judgeCredentials(all, f) {
		judgeAccess(all, f)
		judgeServing(all, f)
	}
	return all
}

func judgeEnvironment(all *findings, f facts) {
	for _, s := range f.settings {
		if !s.Known {
			all.addf(warning, "environment", fmt.Sprintf("unset %s, or correct its name", s.Name),
				"%s is not known and has no effect: a variable that is misspelt", s.Name)
		}
	}
	if f.env == nil || f.unconfirmed {
		return
	}
	errs := []error{f.env}
	if joined, ok := f.env.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	for _, err := range errs {
		if err != nil {
			all.addf(fault, "environment", "correct the variable; etcd is asked nothing before that", "%s", strings.TrimPrefix(err.Error(), "muster: "))
		}
	}
}

func judgeNamespace(all *findings, f facts) {
	ns := f.cfg.Namespace
	if ns.IsZero() {
		return
	}
	protected := f.cfg.Protection.Protects(ns.Name())
	from := "by default"
	for _, s := range f.settings {
		if s.Name == "MUSTER_NAMESPACE" && s.Set {
			from = "by MUSTER_NAMESPACE"
		}
	}
	switch err := f.cfg.Protection.Check(ns); {
	case err != nil && f.cfg.Protection.Confirm == "":
		all.addf(fault, "namespace", fmt.Sprintf("if it is meant, set MUSTER_CONFIRM_NAMESPACE=%s; if not, unset MUSTER_NAMESPACE", ns.Name()),
			"%s, %s, is protected and not confirmed: nothing can register or resolve in it", ns, from)
	case err != nil:
		all.addf(fault, "namespace", "make MUSTER_CONFIRM_NAMESPACE and MUSTER_NAMESPACE equal, or unset the former",
			"MUSTER_CONFIRM_NAMESPACE is %q, the namespace is %q, %s: one of the two is a mistake", f.cfg.Protection.Confirm, ns.Name(), from)
	case protected:
		all.addf(fine, "namespace", "", "%s would be entered, %s: protected, and confirmed by MUSTER_CONFIRM_NAMESPACE", ns, from)
	default:
		all.addf(fine, "namespace", "", "%s would be entered, %s: not protected", ns, from)
	}
}

func judgeEndpoints(all *findings, x *etcd.Examination) {
	serving := 0
	for _, e := range x.Endpoints {
		if e.Trouble == etcd.TroubleNone {
			serving++
		}
	}
	for _, e := range x.Endpoints {
		if e.Trouble == etcd.TroubleNone {
			all.addf(fine, "etcd", "", "%s answers: etcd %s", e.Endpoint, orUnknown(e.Version))
			continue
		}
		text, next := troubleText(e)
		l := fault
		if serving > 0 {
			l = warning
		}
		all.addf(l, "etcd", next, "%s: %s (%v)", e.Endpoint, text, e.Err)
	}
}

// judgeCredentials reports whether there is more to say: whether etcd has let the credentials in.
func judgeCredentials(all *findings, f facts) bool {
	x, user := f.exam, f.cfg.Etcd.Username
	asUser := "without a user"
	switch {
	case user != "":
		asUser = fmt.Sprintf("as %q", user)
	case f.cfg.Etcd.CertFile != "":
		asUser = "as the user that the client's certificate names"
	}
	if e := overheard(f.cfg.Etcd); e != "" && user != "" {
		all.addf(warning, "credentials", "use https:// in MUSTER_ETCD_ENDPOINTS, and MUSTER_ETCD_CA_FILE", "without TLS, the password goes to %s in plain text", e)
	}
	switch {
	case x.Refused && user == "":
		all.addf(fault, "credentials", "set MUSTER_ETCD_USERNAME and MUSTER_ETCD_PASSWORD_FILE; 'muster roles <namespace>' makes users",
			"etcd wants a user, and none is set")
		return false
	case x.Refused:
		all.addf(fault, "credentials", "compare the password with that of etcd's user; 'muster roles <namespace>' sets it to what is in the file",
			"etcd does not know the user %q with that password", user)
		return false
	case x.Err != nil:
		if all.count(fault) == 0 { // else that is why
			all.addf(fault, "credentials", "look at etcd's own log; is there a leader?", "etcd does not answer a request: %v", x.Err)
		}
		return false
	case !x.Auth && user != "":
		all.addf(warning, "credentials", "turn authentication on: muster roles <namespace>... --enable-auth", "%s, but authentication is off: the password was not looked at", asUser)
	case !x.Auth:
		all.addf(fine, "credentials", "", "none are needed: authentication is off")
	default:
		all.addf(fine, "credentials", "", "accepted %s", asUser)
	}
	return true
}

func orUnknown(version string) string {
	if version == "" {
		return "of an unknown version"
	}
	return version
}

// reasonOf returns the innermost words of an error.
func reasonOf(err error) string {
	for u := errors.Unwrap(err); u != nil; u = errors.Unwrap(err) {
		err = u
	}
	return err.Error()
}
