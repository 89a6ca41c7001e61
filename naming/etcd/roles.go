package etcd

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/authpb"

	"github.com/muster-go/muster/naming"
)

// rootName is etcd's own name of the user and of the role that may do everything.
const rootName = "root"

// RoleName returns the name of the role, and of the user, that walls a namespace off.
func RoleName(root, namespace string) string { return cmp.Or(root, DefaultRoot) + "-" + namespace }

// RolesSpec says which namespaces are to be walled off in etcd: one role with one grant and one user each.
type RolesSpec struct {
	Users []RolesUser
	// EnableAuth turns etcd's authentication on at the end. From then on nothing reaches etcd without a user.
	EnableAuth bool
	// RootPassword is that of the user root, which has to exist before authentication can be turned on. It is used only
	// where there is no such user.
	RootPassword string
}

// RolesUser is one namespace and its user's password.
type RolesUser struct {
	Namespace string
	// Password is required for a user that does not exist yet.
	Password string
	// Keep leaves the password of a user that exists as it is.
	Keep bool
}

// RolesPlan is what is missing to a RolesSpec. It is immutable.
type RolesPlan struct {
	// Steps are in the order in which they have to be done. None means that everything is in place.
	Steps []RolesStep
	// Notes are what a person should know besides: roles and users of others that reach into a namespace, for one.
	Notes []string
	// AuthEnabled says whether etcd's authentication is on before the steps.
	AuthEnabled bool
}

// Sets reports whether the plan gives a namespace's user a password.
func (p *RolesPlan) Sets(root, namespace string) bool {
	name := RoleName(root, namespace)
	return slices.ContainsFunc(p.Steps, func(s RolesStep) bool {
		return s.user == name && (s.kind == addUser || s.kind == setPassword)
	})
}

// SetsRoot reports whether the plan makes the user root, with the spec's password.
func (p *RolesPlan) SetsRoot() bool {
	return slices.ContainsFunc(p.Steps, func(s RolesStep) bool { return s.user == rootName && s.kind == addUser })
}

// rolesState is what etcd has of roles and users.
type rolesState struct {
	auth  bool
	roles map[string][]*authpb.Permission
	users map[string][]string // to roles
	// wrong holds the users whose password is known to be another one than the spec's. Without authentication etcd checks
	// none, so each that is not to be kept counts as wrong.
	wrong map[string]bool
}

// check finds what is wrong with a spec by itself.
func (s RolesSpec) check() error {
	seen := map[string]bool{}
	for _, u := range s.Users {
		if _, err := naming.NewNamespace(u.Namespace, ""); err != nil {
			return err
		}
		if seen[u.Namespace] {
			return fmt.Errorf("etcd: roles: namespace %q is named twice", u.Namespace)
		}
		seen[u.Namespace] = true
	}
	return nil
}

// planRoles compares what there is with what is wanted.
func planRoles(root string, has rolesState, want RolesSpec) (*RolesPlan, error) {
	p := &RolesPlan{AuthEnabled: has.auth}
	for _, u := range want.Users {
		if err := p.planNamespace(root, has, u); err != nil {
			return nil, err
		}
	}
	if want.EnableAuth && !has.auth {
		roles, exists := has.users[rootName]
		if _, ok := has.roles[rootName]; !ok {
			p.add(RolesStep{kind: addRole, role: rootName})
		}
		if !exists {
			if want.RootPassword == "" {
				return nil, errors.New("etcd: roles: authentication needs a user root: give it a password")
			}
			p.add(RolesStep{kind: addUser, user: rootName, password: want.RootPassword})
		}
		if !slices.Contains(roles, rootName) {
			p.add(RolesStep{kind: giveRole, user: rootName, role: rootName})
		}
		p.add(RolesStep{kind: enableAuth})
	}
	p.noteOthers(root, has, want)
	return p, nil
}

func (p *RolesPlan) add(s RolesStep) { p.Steps = append(p.Steps, s) }

func (p *RolesPlan) planNamespace(root string, has rolesState, u RolesUser) error {
	name := RoleName(root, u.Namespace)
	own := ownRange(root, u.Namespace)
	perms, ok := has.roles[name]
	if !ok {
		p.add(RolesStep{kind: addRole, role: name})
	}
	granted := false
	for _, perm := range perms {
		if other := namesake(name, root, string(perm.Key)); other != "" {
			return fmt.Errorf("etcd: roles: the role %q is already that of %q, and would open this to the users of %q: "+
				"take another key root or another name for the namespace", name, other, own.from)
		}
		r := rangeOf(perm)
		switch {
		case r == own && perm.PermType == authpb.Permission_READWRITE:
			granted = true
		case r == own: // granting again replaces it
		case r.beyond(root, own):
			p.add(RolesStep{kind: revokeGrant, role: name, from: string(perm.Key), to: string(perm.RangeEnd), why: "which reaches into other namespaces"})
		}
	}
	if !granted {
		p.add(RolesStep{kind: grantPrefix, role: name, from: own.from, to: own.to})
	}

	roles, ok := has.users[name]
	switch {
	case !ok && u.Password == "":
		return fmt.Errorf("etcd: roles: the user %q does not exist yet: give it a password", name)
	case !ok:
		p.add(RolesStep{kind: addUser, user: name, password: u.Password})
	case !u.Keep && u.Password != "" && has.wrong[name]:
		s := RolesStep{kind: setPassword, user: name, password: u.Password}
		if !has.auth {
			s.why = "since etcd checks none while authentication is off"
		}
		p.add(s)
	}
	if !slices.Contains(roles, name) {
		p.add(RolesStep{kind: giveRole, user: name, role: name})
	}
	for _, role := range roles {
		if role != name && has.reaches(root, role, own) {
			p.add(RolesStep{kind: takeRole, user: name, role: role, why: "which reaches into other namespaces"})
		}
	}
	return nil
}

// noteOthers tells of everybody else who may reach into the namespaces.
func (p *RolesPlan) noteOthers(root string, has rolesState, want RolesSpec) {
	for role := range has.roles {
		var own keyRange // of a role that is another namespace's
		if ns, ok := strings.CutPrefix(role, root+"-"); ok {
			own = ownRange(root, ns)
		}
		planned := slices.ContainsFunc(want.Users, func(u RolesUser) bool { return RoleName(root, u.Namespace) == role })
		if role == rootName || planned || !has.reaches(root, role, own) {
			continue
		}
		var users []string
		for user, roles := range has.users {
			if slices.Contains(roles, role) {
				users = append(users, fmt.Sprintf("%q", user))
			}
		}
		slices.Sort(users)
		p.Notes = append(p.Notes, fmt.Sprintf("the role %q reaches below %q too; it is left alone; its users: %s",
			role, root+"/", cmp.Or(strings.Join(users, ", "), "none")))
	}
	slices.Sort(p.Notes)
	if !has.auth && !want.EnableAuth {
		p.Notes = append(p.Notes, "authentication is off: roles hold nobody back until it is turned on")
	}
}
