package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

// rolesCommand holds the flags of 'muster roles'.
type rolesCommand struct {
	*app
	apply, enableAuth, reset, show bool
	user, passwordFile             string
	passwords                      passwordDir
}

func newRoles(a *app) *cobra.Command {
	r := &rolesCommand{app: a}
	c := &cobra.Command{
		Use:   "roles <namespace>...",
		Short: "Wall namespaces off from each other in etcd: one role, one grant and one user each",
		Long: "Wall namespaces off from each other in etcd: for each a role that may read and write the keys below its own prefix\n" +
			"and nothing else, and a user who has that role, both named <key root>-<namespace>, such as muster-prod.\n\n" +
			"Without --apply it only shows what it would do. It can be run again at any time: what is in place stays, and what\n" +
			"reaches from one namespace into another is taken back.\n\n" +
			"The credentials must be those of etcd's user root once authentication is on: MUSTER_ETCD_USERNAME and\n" +
			"MUSTER_ETCD_PASSWORD or MUSTER_ETCD_PASSWORD_FILE, or --user and --password-file. With --enable-auth they are those\n" +
			"that root is given, and a password file that does not exist is made.\n\n" +
			"The users' passwords are in one file each, <password-dir>/<user>.password. A file that is there is used; for a new\n" +
			"user a password is made and written there first, readable by its owner alone. The password of a user who has no\n" +
			"file is left as it is, but with --reset-passwords.\n\n" +
			"Roles hold nobody back while authentication is off, nor on an etcd with holes: it takes " + etcd.WallVersions + ".",
		Args: cobra.MinimumNArgs(1),
		RunE: does(r.run),
	}
	f := c.Flags()
	f.BoolVar(&r.apply, "apply", false, "do it, instead of showing what would be done")
	f.BoolVar(&r.enableAuth, "enable-auth", false, "turn etcd's authentication on at the end; whoever has no user is out from then on")
	f.StringVar(&r.user, "user", "", "etcd's user (default: MUSTER_ETCD_USERNAME)")
	f.StringVar(&r.passwordFile, "password-file", "", "its password (default: MUSTER_ETCD_PASSWORD_FILE or MUSTER_ETCD_PASSWORD)")
	f.StringVar((*string)(&r.passwords), "password-dir", "", "the folder of the users' passwords")
	f.BoolVar(&r.reset, "reset-passwords", false, "give a new password to users who have no file")
	f.BoolVar(&r.show, "show-passwords", false, "print the passwords that were set")
	return c
}

func (r *rolesCommand) run(ctx context.Context, namespaces []string) error {
	cfg, root, err := r.config()
	if err != nil {
		return err
	}
	spec := etcd.RolesSpec{EnableAuth: r.enableAuth, RootPassword: root.password}
	users := map[string]*secret{} // by namespace
	for _, ns := range namespaces {
		if _, err := naming.NewNamespace(ns, ""); err != nil {
			return &failure{exitUsage, err}
		}
		s, err := r.passwords.load(etcd.RoleName(cfg.Root, ns))
		if err != nil {
			return &failure{exitUsage, err}
		}
		users[ns] = s
		spec.Users = append(spec.Users, etcd.RolesUser{Namespace: ns, Password: s.password, Keep: s.fresh && !r.reset})
	}
	roles, err := etcd.OpenRoles(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = roles.Close() }()
	if err := r.versions(ctx, roles); err != nil {
		return err
	}
	pctx, cancel := r.bounded(ctx)
	defer cancel()
	plan, err := roles.Plan(pctx, spec)
	if err != nil {
		return err
	}
	files, err := r.files(cfg.Root, plan, users, root)
	if err != nil {
		return err
	}
	if e := overheard(cfg); e != "" {
		r.printf("note: without TLS, passwords go to %s in plain text\n", e)
	}
	return r.carryOut(ctx, roles, plan, files)
}

func (r *rolesCommand) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("no answer within %v", r.timeout))
}

// config returns how etcd is reached, and root's password where it may have to be set.
func (r *rolesCommand) config() (etcd.Config, *secret, error) {
	if r.timeout <= 0 {
		return etcd.Config{}, nil, fail(exitUsage, "--timeout %v: want more than 0", r.timeout)
	}
	env, err := muster.ParseEnv()
	if err != nil {
		return etcd.Config{}, nil, &failure{exitUsage, err}
	}
	cfg := env.Etcd
	cfg.Logger = slog.New(slog.DiscardHandler)
	if r.user != "" {
		cfg.Username = r.user
	}
	root := &secret{password: cfg.Password}
	if r.passwordFile != "" {
		cfg.Password, cfg.PasswordFile = "", r.passwordFile
	}
	if cfg.PasswordFile != "" {
		root, err = loadSecret(cfg.PasswordFile)
		if err == nil && root.fresh && !r.enableAuth {
			err = fmt.Errorf("%s: no such file", cfg.PasswordFile)
		}
		if err != nil {
			return cfg, nil, &failure{exitUsage, err}
		}
		cfg.Password, cfg.PasswordFile = root.password, ""
	}
	if r.enableAuth && root.password == "" {
		return cfg, nil, fail(exitUsage, "authentication needs a user root: say with --password-file where its password is, or is to be")
	}
	if r.enableAuth && cfg.Username == "" {
		cfg.Username = "root"
	}
	return cfg, root, nil
}

// versions says whether the etcd can hold a wall at all.
func (r *rolesCommand) versions(ctx context.Context, roles *etcd.Roles) error {
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	all, err := roles.Versions(ctx)
	if err != nil {
		return err
	}
	for _, e := range slices.Sorted(maps.Keys(all)) {
		v := all[e]
		if etcd.WallHolds(v) {
			r.printf("%s is etcd %s: it holds the wall between namespaces\n", e, v)
		} else {
			r.printf("%s is etcd %s: it does NOT hold the wall, whatever its roles are; that takes %s\n", e, v, etcd.WallVersions)
		}
	}
	return nil
}

// files returns the passwords that have to be written before the plan is carried out.
func (r *rolesCommand) files(keyRoot string, plan *etcd.RolesPlan, users map[string]*secret, root *secret) ([]*secret, error) {
	var files []*secret
	for _, ns := range slices.Sorted(maps.Keys(users)) {
		s := users[ns]
		if !plan.Sets(keyRoot, ns) {
			continue
		}
		if s.file == "" {
			return nil, fail(exitUsage, "the user %s needs a password: say with --password-dir where the files are", etcd.RoleName(keyRoot, ns))
		}
		files = append(files, s)
	}
	if plan.SetsRoot() {
		files = append(files, root)
	}
	return files, nil
}

func (r *rolesCommand) carryOut(ctx context.Context, roles *etcd.Roles, plan *etcd.RolesPlan, files []*secret) error {
	for _, n := range plan.Notes {
		r.printf("note: %s\n", n)
	}
	if len(plan.Steps) == 0 {
		r.printf("everything is in place: nothing to do\n")
		return nil
	}
	for _, s := range files {
		if s.loose {
			r.printf("note: %s can be read by others: chmod 600 %s\n", s.file, s.file)
		}
	}
	if !r.apply {
		r.printf("it would\n")
		for _, s := range files {
			if s.fresh {
				r.printf("  write a new password to %s\n", s.file)
			}
		}
		for _, s := range plan.Steps {
			r.printf("  %s\n", s)
		}
		r.printf("nothing has been done; --apply does it\n")
		return nil
	}
	for _, s := range files { // first, so that no password is ever known to etcd alone
		if !s.fresh {
			continue
		}
		if err := s.save(); err != nil {
			return err
		}
		r.printf("wrote a new password to %s\n", s.file)
	}
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	if err := roles.Apply(ctx, plan, func(s etcd.RolesStep) { r.printf("done: %s\n", s) }); err != nil {
		return err
	}
	if r.show {
		for _, s := range files {
			r.printf("%s: %s\n", s.file, s.password)
		}
	}
	r.printf("in place; the services of a namespace take its user as MUSTER_ETCD_USERNAME, and the file as MUSTER_ETCD_PASSWORD_FILE\n")
	return nil
}

func (a *app) printf(format string, args ...any) {
	_, _ = fmt.Fprint(a.out, printable(fmt.Sprintf(format, args...)))
}
