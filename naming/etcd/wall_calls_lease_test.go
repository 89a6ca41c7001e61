package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
)

func wallLeaseCalls() []wallCall {
	keepalive := func(ctx context.Context, i *intruder) error {
		s, err := i.leases().LeaseKeepAlive(ctx)
		if err != nil {
			return err
		}
		if err := s.Send(&pb.LeaseKeepAliveRequest{ID: i.lease}); err != nil {
			return err
		}
		_, err = s.Recv()
		return err
	}
	return []wallCall{
		// A lease without keys is worth nothing. One that is there already is refused to everybody, as prod's is.
		{"Lease/LeaseGrant", "an own lease", anyUser, func(ctx context.Context, i *intruder) error {
			_, err := i.leases().LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: 5})
			return err
		}},
		{"Lease/LeaseGrant", "prod's id: it exists", anyUser, func(ctx context.Context, i *intruder) error {
			_, err := i.leases().LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: 5, ID: i.lease})
			if !strings.Contains(fmt.Sprint(err), "already exists") {
				return fmt.Errorf("%w: %w", rpctypes.ErrPermissionDenied, err)
			}
			return err
		}},
		{"Lease/LeaseRevoke", "prod's", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.leases().LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: i.lease})
			return err
		}},
		{"Lease/LeaseKeepAlive", "prod's", owner, keepalive},
		{"Lease/LeaseTimeToLive", "prod's, with its keys", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.leases().LeaseTimeToLive(ctx, &pb.LeaseTimeToLiveRequest{ID: i.lease, Keys: true})
			return err
		}},
		// Who guesses one of 2^63 ids may know how long that lease has to live.
		{"Lease/LeaseTimeToLive", "prod's, without its keys", anyUser, func(ctx context.Context, i *intruder) error {
			_, err := i.leases().LeaseTimeToLive(ctx, &pb.LeaseTimeToLiveRequest{ID: i.lease})
			return err
		}},
		{"Lease/LeaseLeases", "all", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.leases().LeaseLeases(ctx, &pb.LeaseLeasesRequest{})
			return err
		}},
		{"Lock/Lock", "a lock in prod", owner, func(ctx context.Context, i *intruder) error {
			_, err := v3lockpb.NewLockClient(i.conn).Lock(ctx, &v3lockpb.LockRequest{Name: []byte(prodNew)})
			return err
		}},
		{"Lock/Unlock", "a key of prod's", owner, func(ctx context.Context, i *intruder) error {
			_, err := v3lockpb.NewLockClient(i.conn).Unlock(ctx, &v3lockpb.UnlockRequest{Key: []byte(prodKey)})
			return err
		}},
		{"Election/Campaign", "on a key of prod's", owner, func(ctx context.Context, i *intruder) error {
			_, err := v3electionpb.NewElectionClient(i.conn).Campaign(ctx, &v3electionpb.CampaignRequest{Name: []byte(prodNew), Lease: i.lease})
			return err
		}},
		{"Election/Proclaim", "over a key of prod's", owner, func(ctx context.Context, i *intruder) error {
			_, err := v3electionpb.NewElectionClient(i.conn).Proclaim(ctx, &v3electionpb.ProclaimRequest{
				Leader: &v3electionpb.LeaderKey{Name: []byte(prodDir), Key: []byte(prodKey), Rev: 1, Lease: i.lease}, Value: []byte("x"),
			})
			return err
		}},
		{"Election/Leader", "of prod's keys", owner, func(ctx context.Context, i *intruder) error {
			_, err := v3electionpb.NewElectionClient(i.conn).Leader(ctx, &v3electionpb.LeaderRequest{Name: []byte("muster/prod/default/user-svc")})
			return err
		}},
		{"Election/Observe", "of prod's keys", owner, func(ctx context.Context, i *intruder) error {
			s, err := v3electionpb.NewElectionClient(i.conn).Observe(ctx, &v3electionpb.LeaderRequest{Name: []byte("muster/prod/default/user-svc")})
			if err != nil {
				return err
			}
			if _, err = s.Recv(); errors.Is(err, io.EOF) { // it ends without a word
				err = fmt.Errorf("%w (the stream ended)", rpctypes.ErrPermissionDenied)
			}
			return err
		}},
		{"Election/Resign", "a key of prod's", owner, func(ctx context.Context, i *intruder) error {
			_, err := v3electionpb.NewElectionClient(i.conn).Resign(ctx, &v3electionpb.ResignRequest{
				Leader: &v3electionpb.LeaderKey{Name: []byte(prodDir), Key: []byte(prodKey), Rev: 1, Lease: i.lease},
			})
			return err
		}},
	}
}

// wallOperatorCalls are about the cluster. What any user may see of it are its addresses, sizes and revisions.
func wallOperatorCalls() []wallCall {
	return []wallCall{
		{"Cluster/MemberList", "", anyUser, func(ctx context.Context, i *intruder) error {
			_, err := i.cluster().MemberList(ctx, &pb.MemberListRequest{Linearizable: true})
			return err
		}},
		{"Cluster/MemberAdd", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.cluster().MemberAdd(ctx, &pb.MemberAddRequest{PeerURLs: []string{"http://10.6.6.6:1"}})
			return err
		}},
		{"Cluster/MemberRemove", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.cluster().MemberRemove(ctx, &pb.MemberRemoveRequest{ID: 1})
			return err
		}},
		{"Cluster/MemberUpdate", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.cluster().MemberUpdate(ctx, &pb.MemberUpdateRequest{ID: 1, PeerURLs: []string{"http://10.6.6.6:1"}})
			return err
		}},
		{"Cluster/MemberPromote", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.cluster().MemberPromote(ctx, &pb.MemberPromoteRequest{ID: 1})
			return err
		}},
		{"Maintenance/Status", "", anyUser, func(ctx context.Context, i *intruder) error {
			_, err := i.maint().Status(ctx, &pb.StatusRequest{})
			return err
		}},
		{"Maintenance/Alarm", "list", anyUser, func(ctx context.Context, i *intruder) error {
			_, err := i.maint().Alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_GET})
			return err
		}},
		{"Maintenance/Alarm", "raise", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.maint().Alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_NOSPACE})
			return err
		}},
		{"Maintenance/Alarm", "disarm", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.maint().Alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, Alarm: pb.AlarmType_NOSPACE})
			return err
		}},
		{"Maintenance/Defragment", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.maint().Defragment(ctx, &pb.DefragmentRequest{})
			return err
		}},
		{"Maintenance/Hash", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.maint().Hash(ctx, &pb.HashRequest{})
			return err
		}},
		{"Maintenance/HashKV", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.maint().HashKV(ctx, &pb.HashKVRequest{})
			return err
		}},
		{"Maintenance/Snapshot", "the whole database", owner, func(ctx context.Context, i *intruder) error {
			return drained(i.maint().Snapshot(ctx, &pb.SnapshotRequest{}))
		}},
		{"Maintenance/MoveLeader", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.maint().MoveLeader(ctx, &pb.MoveLeaderRequest{TargetID: 1})
			return err
		}},
		{"Maintenance/Downgrade", "", owner, func(ctx context.Context, i *intruder) error {
			_, err := i.maint().Downgrade(ctx, &pb.DowngradeRequest{Action: pb.DowngradeRequest_ENABLE, Version: "3.6.0"})
			return err
		}},
	}
}
