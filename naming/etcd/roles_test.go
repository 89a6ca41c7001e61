package etcd

import (
	"fmt"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/authpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func grant(from, to string, kind authpb.Permission_Type) *authpb.Permission {
	return &authpb.Permission{Key: []byte(from), RangeEnd: []byte(to), PermType: kind}
}

func TestPlanRoles(t *testing.T) {
	t.Parallel()
	const rw = authpb.Permission_READWRITE
	own := grant("muster/dev/", "muster/dev0", rw)
	users := map[string][]string{"muster-dev": {"muster-dev"}}
	with := func(p ...*authpb.Permission) map[string][]*authpb.Permission {
		return map[string][]*authpb.Permission{"muster-dev": p}
	}
	dev := RolesSpec{Users: []RolesUser{{Namespace: "dev", Password: "hunter2"}}}
	for _, c := range []struct {
		name string
		has  rolesState
		want RolesSpec
		plan []string // what each step begins with
		note string
		err  string
	}{
		{"nothing there", rolesState{}, dev, []string{
			`add role "muster-dev"`, `grant role "muster-dev" to read and write every key below "muster/dev/"`,
			`add user "muster-dev" with a password`, `give user "muster-dev" the role "muster-dev"`,
		}, "authentication is off", ""},
		{"all there", rolesState{auth: true, roles: with(own), users: users}, dev, nil, "", ""},
		{
			"another password",
			rolesState{auth: true, roles: with(own), users: users, wrong: map[string]bool{"muster-dev": true}},
			dev,
			[]string{`set the password of user "muster-dev"`},
			"", "",
		},
		{
			"another password, kept",
			rolesState{auth: true, roles: with(own), users: users, wrong: map[string]bool{"muster-dev": true}},
			RolesSpec{Users: []RolesUser{{Namespace: "dev", Password: "hunter2", Keep: true}}},
			nil, "", "",
		},
		{"half there", rolesState{auth: true, roles: with(), users: map[string][]string{"muster-dev": nil}}, dev, []string{
			`grant role "muster-dev"`, `give user "muster-dev"`,
		}, "", ""},
		{
			"read only",
			rolesState{auth: true, roles: with(grant("muster/dev/", "muster/dev0", authpb.Permission_READ)), users: users},
			dev,
			[]string{`grant role "muster-dev"`},
			"", "",
		},
		{
			"too wide",
			rolesState{auth: true, roles: with(own, grant("muster/", "muster0", rw)), users: users},
			dev,
			[]string{`revoke from role "muster-dev" the grant on every key below "muster/", which reaches into other namespaces`},
			"", "",
		},
		{
			"everything",
			rolesState{auth: true, roles: with(own, grant("\x00", "\x00", authpb.Permission_READ)), users: users},
			dev,
			[]string{`revoke from role "muster-dev"`},
			"", "",
		},
		{
			"another namespace's key",
			rolesState{auth: true, roles: with(own, grant("muster/prod/x", "", rw)), users: users},
			dev,
			[]string{`revoke from role "muster-dev" the grant on the key "muster/prod/x"`},
			"", "",
		},
		{"elsewhere", rolesState{auth: true, roles: with(own, grant("config/", "config0", rw)), users: users}, dev, nil, "", ""},
		{"within its own", rolesState{auth: true, roles: with(own, grant("muster/dev/x", "", rw)), users: users}, dev, nil, "", ""},
		{
			"a user who is root",
			rolesState{auth: true, roles: with(own), users: map[string][]string{"muster-dev": {"muster-dev", "root"}}},
			dev,
			[]string{`take the role "root" from user "muster-dev"`},
			"", "",
		},
		{
			"a user with another one's role",
			rolesState{auth: true, roles: map[string][]*authpb.Permission{
				"muster-dev": {own}, "muster-prod": {grant("muster/prod/", "muster/prod0", rw)},
			}, users: map[string][]string{"muster-dev": {"muster-dev", "muster-prod"}}},
			dev,
			[]string{`take the role "muster-prod" from user "muster-dev"`},
			"", "",
		},
		{"a stranger reaches in", rolesState{auth: true, roles: map[string][]*authpb.Permission{
			"muster-dev": {own}, "backup": {grant("\x00", "\x00", authpb.Permission_READ)},
		}, users: map[string][]string{"muster-dev": {"muster-dev"}, "cron": {"backup"}}}, dev, nil, `the role "backup" reaches below "muster/" too; it is left alone; its users: "cron"`, ""},
		{
			"another key root's",
			rolesState{auth: true, roles: map[string][]*authpb.Permission{
				"muster-dev-eu": {grant("muster-dev/eu/", "muster-dev/eu0", rw)},
			}, users: map[string][]string{"muster-dev-eu": {"muster-dev-eu"}}},
			RolesSpec{Users: []RolesUser{{Namespace: "dev-eu", Password: "hunter2"}}},
			nil, "", `the role "muster-dev-eu" is already that of "muster-dev/eu/"`,
		},
		{
			"no other key root's",
			rolesState{auth: true, roles: map[string][]*authpb.Permission{
				"muster-dev-eu": {grant("muster/dev-eu/", "muster/dev-eu0", rw), grant("muster-dev/us/", "muster-dev/us0", rw)},
			}, users: map[string][]string{"muster-dev-eu": {"muster-dev-eu"}}},
			RolesSpec{Users: []RolesUser{{Namespace: "dev-eu", Password: "hunter2"}}},
			nil, "", "",
		},
		{"turned on", rolesState{roles: with(own), users: users}, RolesSpec{Users: dev.Users, EnableAuth: true, RootPassword: "s"}, []string{
			`add role "root"`, `add user "root"`, `give user "root" the role "root"`, `turn authentication on`,
		}, "", ""},
		{
			"turned on with a root",
			rolesState{roles: map[string][]*authpb.Permission{"root": nil}, users: map[string][]string{"root": {"root"}}},
			RolesSpec{EnableAuth: true},
			[]string{`turn authentication on`},
			"", "",
		},
		{"turned on without a root", rolesState{}, RolesSpec{EnableAuth: true}, nil, "", "user root"},
		{"no password", rolesState{}, RolesSpec{Users: []RolesUser{{Namespace: "dev"}}}, nil, "", "password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := planRoles("muster", c.has, c.want)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("err = %v, want one with %q", err, c.err)
				}
				return
			}
			must(t, err)
			ok := len(p.Steps) == len(c.plan)
			for i := range min(len(p.Steps), len(c.plan)) {
				ok = ok && strings.HasPrefix(p.Steps[i].String(), c.plan[i])
			}
			if !ok {
				t.Errorf("steps\n%s\nwant\n%s", p.Steps, strings.Join(c.plan, "\n"))
			}
			if notes := strings.Join(p.Notes, "\n"); c.note == "" && notes != "" || !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
			if text := fmt.Sprint(p.Steps, p.Notes); strings.Contains(text, "hunter2") {
				t.Errorf("a password is in %s", text)
			}
		})
	}
}

// FuzzReach: a range is beyond the own one exactly where one of a few telling keys is.
func FuzzReach(f *testing.F) {
	f.Add("muster/", "muster0")
	f.Add("muster/dev/", "muster/dev0")
	f.Add("\x00", "\x00")
	f.Add("muster/prod/a", "")
	f.Fuzz(func(t *testing.T, from, to string) {
		own := ownRange("muster", "dev")
		r := rangeOf(grant(from, to, authpb.Permission_READ))
		holds := func(key string) bool {
			begin := r.from
			if begin == "\x00" {
				begin = ""
			}
			return key >= begin && (r.to == "\x00" || key < r.to)
		}
		keys := []string{"muster/", "muster/a", "muster/dev", "muster/dev-2/x", "muster/dev0", "muster/prod/", "muster/prod/x", "muster/zzz"}
		if strings.HasPrefix(from, "muster/") {
			keys = append(keys, from)
		}
		for _, key := range keys {
			outside := !strings.HasPrefix(key, "muster/dev/")
			if outside && holds(key) && !r.beyond("muster", own) {
				t.Fatalf("%q to %q holds %q, but is not beyond dev's own", from, to, key)
			}
		}
		if r.beyond("muster", own) && r.from >= own.from && r.to <= own.to && r.to != "\x00" {
			t.Fatalf("%q to %q is within dev's own", from, to)
		}
	})
}

// TestRolesAreInstalledOnce: what a plan does makes the next plan empty, and the users do what they are for.
func TestRolesAreInstalledOnce(t *testing.T) {
	t.Parallel()
	node := startWalled(t)
	open := func(user, password string) *Roles {
		t.Helper()
		r, err := OpenRoles(Config{Endpoints: []string{node.Endpoint()}, Username: user, Password: password})
		must(t, err)
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	spec := RolesSpec{
		Users:      []RolesUser{{Namespace: "dev", Password: "a"}, {Namespace: "prod", Password: "b"}},
		EnableAuth: true, RootPassword: "r",
	}
	apply := func(r *Roles) (steps int) {
		t.Helper()
		p, err := r.Plan(within(t), spec)
		must(t, err)
		must(t, r.Apply(within(t), p, func(RolesStep) { steps++ }))
		if steps != len(p.Steps) {
			t.Errorf("%d of %d steps reported", steps, len(p.Steps))
		}
		return steps
	}
	first := open("", "")
	v, err := first.Versions(within(t))
	must(t, err)
	if !WallHolds(v[node.Endpoint()]) {
		t.Errorf("versions %v", v)
	}
	if n := apply(first); n != 12 {
		t.Errorf("%d steps, want 12", n)
	}
	admin := open("root", "r")
	if n := apply(admin); n != 0 {
		t.Errorf("the second time %d steps, want none", n)
	}
	// Drift is mended.
	root, err := clientv3.New(clientv3.Config{Endpoints: []string{node.Endpoint()}, Username: "root", Password: "r"})
	must(t, err)
	defer root.Close()
	_, err = root.RoleGrantPermission(within(t), "muster-dev", "muster/prod/", "muster/prod0", clientv3.PermissionType(clientv3.PermRead))
	must(t, err)
	_, err = root.UserGrantRole(within(t), "muster-dev", "muster-prod")
	must(t, err)
	spec.Users[0].Password = "c"
	if n := apply(admin); n != 3 {
		t.Errorf("%d steps after the drift, want 3", n)
	}
	if n := apply(admin); n != 0 {
		t.Errorf("%d steps after the drift was mended, want none", n)
	}
	d := newDriver(t, node.Endpoint(), func(c *Config) { c.Username, c.Password = "muster-dev", "c" })
	must(t, join(t, d, claim("user-svc", 1)).Leave(within(t)))
	if _, err := open("muster-dev", "c").Plan(within(t), spec); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("a namespace's user may administer roles: %v", err)
	}
}

func TestRolesErrors(t *testing.T) {
	t.Parallel()
	for _, spec := range []RolesSpec{
		{Users: []RolesUser{{Namespace: "Dev"}}},
		{Users: []RolesUser{{Namespace: "dev"}, {Namespace: "dev"}}},
	} {
		if spec.check() == nil {
			t.Errorf("%+v accepted", spec)
		}
	}
	node := startAuth(t, asItIs, "dev")
	if _, err := OpenRoles(Config{Endpoints: []string{node.Endpoint()}, Username: "root", Password: "hunter2"}); err == nil ||
		!strings.Contains(err.Error(), "authentication failed") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("err = %v", err)
	}
}

func TestWallHolds(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]bool{
		"3.4.23": false, "3.4.99": false, "3.5.21": false, "3.5.34": false, "3.5.35": true, "3.5.36": true, "3.6.15": false, "3.6.16": true,
		"3.7.0": false, "3.7.1-rc.0": false, "3.7.1": true, "3.7.3": true, "3.8.0": true, "3.10.0": true, "4.0.0": true, "2.9.99": false,
		"": false, "x": false, "3": false, "3.7": false, "3.7.x": false, "3.7.-1": false,
	} {
		if WallHolds(v) != want {
			t.Errorf("%q: %v", v, !want)
		}
	}
}
