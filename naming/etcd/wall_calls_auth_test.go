package etcd

import (
	"context"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func wallAuthCalls() []wallCall {
	everything := &authpb.Permission{PermType: authpb.Permission_READWRITE, Key: []byte{0}, RangeEnd: []byte{0}}
	return []wallCall{
		{"Auth/AuthStatus", "", anyone, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().AuthStatus(ctx, &pb.AuthStatusRequest{})
			return err
		}},
		{"Auth/Authenticate", "as prod, by a guess", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().Authenticate(ctx, &pb.AuthenticateRequest{Name: "muster-prod", Password: "secret-dev"})
			return err
		}},
		{"Auth/Authenticate", "as prod, without a password", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().Authenticate(ctx, &pb.AuthenticateRequest{Name: "muster-prod"})
			return err
		}},
		{"Auth/AuthEnable", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().AuthEnable(ctx, &pb.AuthEnableRequest{})
			return err
		}},
		{"Auth/AuthDisable", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().AuthDisable(ctx, &pb.AuthDisableRequest{})
			return err
		}},
		{"Auth/UserAdd", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().UserAdd(ctx, &pb.AuthUserAddRequest{Name: "eve", Password: "x"})
			return err
		}},
		{"Auth/UserGet", "prod's", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().UserGet(ctx, &pb.AuthUserGetRequest{Name: "muster-prod"})
			return err
		}},
		{"Auth/UserGet", "the own one", anyUser, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().UserGet(ctx, &pb.AuthUserGetRequest{Name: i.own("muster-dev")})
			return err
		}},
		{"Auth/UserList", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().UserList(ctx, &pb.AuthUserListRequest{})
			return err
		}},
		{"Auth/UserDelete", "prod's", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().UserDelete(ctx, &pb.AuthUserDeleteRequest{Name: "muster-prod"})
			return err
		}},
		{"Auth/UserChangePassword", "prod's", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().UserChangePassword(ctx, &pb.AuthUserChangePasswordRequest{Name: "muster-prod", Password: "x"})
			return err
		}},
		{"Auth/UserChangePassword", "the own one", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().UserChangePassword(ctx, &pb.AuthUserChangePasswordRequest{Name: "muster-dev", Password: "x"})
			return err
		}},
		{"Auth/UserGrantRole", "prod's, to itself", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: "muster-dev", Role: "muster-prod"})
			return err
		}},
		{"Auth/UserRevokeRole", "prod's", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().UserRevokeRole(ctx, &pb.AuthUserRevokeRoleRequest{Name: "muster-prod", Role: "muster-prod"})
			return err
		}},
		{"Auth/RoleAdd", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: "evil"})
			return err
		}},
		{"Auth/RoleGet", "prod's", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().RoleGet(ctx, &pb.AuthRoleGetRequest{Role: "muster-prod"})
			return err
		}},
		{"Auth/RoleGet", "the own one", anyUser, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().RoleGet(ctx, &pb.AuthRoleGetRequest{Role: "muster-dev"})
			return err
		}},
		{"Auth/RoleList", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().RoleList(ctx, &pb.AuthRoleListRequest{})
			return err
		}},
		{"Auth/RoleDelete", "prod's", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().RoleDelete(ctx, &pb.AuthRoleDeleteRequest{Role: "muster-prod"})
			return err
		}},
		{"Auth/RoleGrantPermission", "everything, to its own role", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().RoleGrantPermission(ctx, &pb.AuthRoleGrantPermissionRequest{Name: "muster-dev", Perm: everything})
			return err
		}},
		{"Auth/RoleRevokePermission", "prod's", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.auth().RoleRevokePermission(ctx, &pb.AuthRoleRevokePermissionRequest{
				Role: "muster-prod", Key: []byte(prodDir), RangeEnd: []byte("muster/prod0"),
			})
			return err
		}},
	}
}
