package etcd

import (
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

type stepKind int

const (
	addRole stepKind = iota
	grantPrefix
	revokeGrant
	addUser
	setPassword
	giveRole
	takeRole
	enableAuth
)

// RolesStep is one call of etcd's. Its text holds no secret.
type RolesStep struct {
	kind       stepKind
	role, user string
	from, to   string // of a grant
	password   string
	why        string
}

// String says what the step does.
func (s RolesStep) String() string {
	var text string
	switch s.kind {
	case addRole:
		text = fmt.Sprintf("add role %q", s.role)
	case grantPrefix:
		text = fmt.Sprintf("grant role %q to read and write every key below %q", s.role, s.from)
	case revokeGrant:
		text = fmt.Sprintf("revoke from role %q the grant on %s", s.role, rangeText(s.from, s.to))
	case addUser:
		text = fmt.Sprintf("add user %q with a password", s.user)
	case setPassword:
		text = fmt.Sprintf("set the password of user %q", s.user)
	case giveRole:
		text = fmt.Sprintf("give user %q the role %q", s.user, s.role)
	case takeRole:
		text = fmt.Sprintf("take the role %q from user %q", s.role, s.user)
	case enableAuth:
		text = "turn authentication on: from then on etcd answers nobody without a user"
	}
	if s.why != "" {
		text += ", " + s.why
	}
	return text
}

func rangeText(from, to string) string {
	switch to {
	case "":
		return fmt.Sprintf("the key %q", from)
	case "\x00":
		return fmt.Sprintf("every key from %q on", from)
	case clientv3.GetPrefixRangeEnd(from):
		return fmt.Sprintf("every key below %q", from)
	}
	return fmt.Sprintf("the keys from %q to %q", from, to)
}
