package etcd

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/authpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

// Roles administers etcd's users and roles. It is safe for concurrent use, but two at a time get into each other's way.
type Roles struct {
	root string
	conn *connection
	cli  *clientv3.Client
}

// OpenRoles connects with the credentials in cfg, which must be those of etcd's user root once authentication is on. The
// namespace and the lease in cfg are not used.
func OpenRoles(cfg Config) (*Roles, error) {
	cfg.Namespace, _ = naming.NewNamespace("roles", "")
	cfg.LeaseTTL = 0
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	creds, err := cfg.transport()
	if err != nil {
		return nil, err
	}
	conn := newConnection(cfg, creds)
	h, err := conn.dial()
	if err != nil {
		conn.close()
		return nil, err
	}
	_ = h.watcher.Close()
	return &Roles{root: cfg.Root, conn: conn, cli: h.cli}, nil
}

// Close ends the connection.
func (r *Roles) Close() error {
	err := r.cli.Close()
	r.conn.close()
	return err
}

// Versions returns the version of etcd behind each endpoint.
func (r *Roles) Versions(ctx context.Context) (map[string]string, error) {
	all := map[string]string{}
	for _, e := range r.conn.cfg.Endpoints {
		s, err := r.cli.Status(ctx, e)
		if err != nil {
			return nil, r.because(fmt.Errorf("etcd: version of %s: %w", e, err))
		}
		all[e] = s.Version
	}
	return all, nil
}

// Plan reads what there is and returns what is missing. It changes nothing, but that etcd counts a failed authentication
// for each user whose password is another one.
func (r *Roles) Plan(ctx context.Context, want RolesSpec) (*RolesPlan, error) {
	if err := want.check(); err != nil {
		return nil, err
	}
	has, err := r.read(ctx, want)
	if err != nil {
		return nil, r.because(fmt.Errorf("etcd: roles: %w", err))
	}
	return planRoles(r.root, has, want)
}

func (r *Roles) read(ctx context.Context, want RolesSpec) (rolesState, error) {
	has := rolesState{roles: map[string][]*authpb.Permission{}, users: map[string][]string{}, wrong: map[string]bool{}}
	var err error
	if has.auth, err = authEnabled(ctx, r.cli); err != nil {
		return has, err
	}
	roles, err := r.cli.RoleList(ctx)
	if err != nil {
		return has, err
	}
	for _, name := range roles.Roles {
		g, err := r.cli.RoleGet(ctx, name)
		if err != nil {
			return has, fmt.Errorf("role %q: %w", name, err)
		}
		has.roles[name] = g.Perm
	}
	users, err := r.cli.UserList(ctx)
	if err != nil {
		return has, err
	}
	for _, name := range users.Users {
		g, err := r.cli.UserGet(ctx, name)
		if err != nil {
			return has, fmt.Errorf("user %q: %w", name, err)
		}
		has.users[name] = g.Roles
	}
	for _, u := range want.Users {
		name := RoleName(r.root, u.Namespace)
		if _, exists := has.users[name]; !exists || u.Keep || u.Password == "" {
			continue
		}
		_, err := r.cli.Authenticate(ctx, name, u.Password)
		switch {
		case err == nil:
		case errors.Is(err, rpctypes.ErrAuthFailed), errors.Is(err, rpctypes.ErrAuthNotEnabled):
			has.wrong[name] = true
		default:
			return has, fmt.Errorf("user %q: %w", name, err)
		}
	}
	return has, nil
}

// Apply does what a plan says, one step after another, and calls done after each. What is there already is no error, so
// that a plan which was interrupted can be made and applied again.
func (r *Roles) Apply(ctx context.Context, p *RolesPlan, done func(RolesStep)) error {
	for _, s := range p.Steps {
		err := s.do(ctx, r.cli)
		for _, fine := range []error{rpctypes.ErrRoleAlreadyExist, rpctypes.ErrUserAlreadyExist, rpctypes.ErrRoleNotGranted, rpctypes.ErrPermissionNotGranted} {
			if errors.Is(err, fine) {
				err = nil
			}
		}
		if err != nil {
			return r.because(fmt.Errorf("etcd: roles: %s: %w", s, err))
		}
		if done != nil {
			done(s)
		}
	}
	return nil
}

func (s RolesStep) do(ctx context.Context, cli *clientv3.Client) (err error) {
	switch s.kind {
	case addRole:
		_, err = cli.RoleAdd(ctx, s.role)
	case grantPrefix:
		_, err = cli.RoleGrantPermission(ctx, s.role, s.from, s.to, clientv3.PermissionType(clientv3.PermReadWrite))
	case revokeGrant:
		_, err = cli.RoleRevokePermission(ctx, s.role, s.from, s.to)
	case addUser:
		_, err = cli.UserAdd(ctx, s.user, s.password)
	case setPassword:
		_, err = cli.UserChangePassword(ctx, s.user, s.password)
	case giveRole:
		_, err = cli.UserGrantRole(ctx, s.user, s.role)
	case takeRole:
		_, err = cli.UserRevokeRole(ctx, s.user, s.role)
	case enableAuth:
		_, err = cli.AuthEnable(ctx)
	}
	return err
}

// because adds the cause where a call has only run out of time, and what to do where it was refused.
func (r *Roles) because(err error) error {
	for _, refused := range []error{rpctypes.ErrUserEmpty, rpctypes.ErrPermissionDenied} {
		if errors.Is(err, refused) || errors.Is(rpctypes.Error(err), refused) {
			return fmt.Errorf("%w: this takes the credentials of etcd's user root", err)
		}
	}
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(rpctypes.Error(err), context.DeadlineExceeded) {
		return err
	}
	if why := r.conn.reason(r.cli.ActiveConnection()); why != nil {
		return fmt.Errorf("%w (etcd does not answer: %w)", err, why)
	}
	return err
}

// authEnabled asks whether authentication is on, of an etcd of any version and with whatever credentials.
func authEnabled(ctx context.Context, cli *clientv3.Client) (bool, error) {
	_, err := cli.Authenticate(ctx, "nobody", "-")
	switch {
	case errors.Is(err, rpctypes.ErrAuthNotEnabled):
		return false, nil
	case errors.Is(err, rpctypes.ErrAuthFailed):
		return true, nil
	case err == nil:
		return true, nil
	}
	return false, err
}
