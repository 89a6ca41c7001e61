package naming

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// DefaultGroup is the group where none is named.
const DefaultGroup = "default"

// dns1123 is a DNS label as Kubernetes knows it, so that a namespace of Muster's can carry the name of one of its.
var dns1123 = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Namespace is an environment ("dev", "staging", "prod") and a group in it. Two programs see each other only if both
// parts are equal. The zero value is no namespace; make one with [NewNamespace]. Namespaces are comparable.
type Namespace struct {
	name, group string
}

// NewNamespace returns the namespace of that name and group, an empty group meaning [DefaultGroup]. Both must be DNS-1123
// labels: 1 to 63 lower-case letters, digits and inner hyphens. Anything else is an error; nothing is trimmed or folded,
// since a guess here could put a program into another environment.
func NewNamespace(name, group string) (Namespace, error) {
	if group == "" {
		group = DefaultGroup
	}
	if !dns1123.MatchString(name) {
		return Namespace{}, fmt.Errorf("naming: namespace %q: %w", clip(name), errLabel)
	}
	if !dns1123.MatchString(group) {
		return Namespace{}, fmt.Errorf("naming: group %q: %w", clip(group), errLabel)
	}
	return Namespace{name: name, group: group}, nil
}

// Name returns the environment's name.
func (n Namespace) Name() string { return n.name }

// Group returns the group.
func (n Namespace) Group() string { return n.group }

// IsZero reports whether n is the zero value, which names no namespace.
func (n Namespace) IsZero() bool { return n == Namespace{} }

// String returns "name/group".
func (n Namespace) String() string { return n.name + "/" + n.group }

// Protection guards the namespaces that nobody may enter by mistake. It stops an honest mistake, such as a forgotten
// variable on a laptop; it is no access control, which is the registry's to do.
type Protection struct {
	// Names are the protected namespaces.
	Names []string
	// Confirm is the name that somebody has set a second time to say that it is meant.
	Confirm string
	// ConfirmWith is where Confirm comes from, for the error's text. Default "Protection.Confirm".
	ConfirmWith string
}

// DefaultProtected returns the names that are protected by default: prod, production, online, live.
func DefaultProtected() []string { return []string{"prod", "production", "online", "live"} }

// Protects reports whether the namespace of that name is protected.
func (p Protection) Protects(name string) bool { return slices.Contains(p.Names, name) }

// Check returns an error unless n may be entered, to register or to resolve: it is not protected, or Confirm repeats its
// name exactly. A confirmation of another name is an error in any namespace, since one of the two is a mistake.
func (p Protection) Check(n Namespace) error {
	with := p.ConfirmWith
	if with == "" {
		with = "Protection.Confirm"
	}
	switch {
	case p.Confirm == n.name:
		return nil
	case p.Protects(n.name) && p.Confirm == "":
		return fmt.Errorf("%w: namespace %q is protected: to register or resolve in it, set %s=%s",
			ErrProtected, n.name, with, n.name)
	case p.Confirm != "":
		return fmt.Errorf("%w: %s=%q does not repeat the namespace %q: make them equal, or unset it to leave %q",
			ErrProtected, with, clip(p.Confirm), n.name, strings.Join(p.Names, ","))
	}
	return nil
}

// clip keeps an error's text short whatever was typed.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
