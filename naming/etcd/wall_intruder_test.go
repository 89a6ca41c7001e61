package etcd

import (
	"context"
	"errors"
	"io"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

// The keys that the intruder is after.
const (
	prodKey   = "muster/prod/default/user-svc/10.0.0.1:8888"
	prodNew   = "muster/prod/default/user-svc/10.6.6.6:666"
	prodDir   = "muster/prod/"
	devKey    = "muster/dev/default/user-svc/10.6.6.6:666"
	prodGuard = "muster/prod/.guard/default/user-svc"
)

// intruder is somebody with one connection to etcd.
type intruder struct {
	c     *clientv3.Client
	conn  *grpc.ClientConn
	lease int64 // prod's, with its keys
	self  string
}

func (i *intruder) kv() pb.KVClient { return pb.NewKVClient(i.conn) }

func (i *intruder) leases() pb.LeaseClient { return pb.NewLeaseClient(i.conn) }

func (i *intruder) cluster() pb.ClusterClient { return pb.NewClusterClient(i.conn) }

func (i *intruder) maint() pb.MaintenanceClient { return pb.NewMaintenanceClient(i.conn) }

func (i *intruder) auth() pb.AuthClient { return pb.NewAuthClient(i.conn) }

func (i *intruder) txn(ctx context.Context, t *pb.TxnRequest) error {
	_, err := i.kv().Txn(ctx, t)
	return err
}

func (i *intruder) watch(ctx context.Context, r *pb.WatchCreateRequest) error {
	s, err := pb.NewWatchClient(i.conn).Watch(ctx)
	if err != nil {
		return err
	}
	if err := s.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}); err != nil {
		return err
	}
	for {
		m, err := s.Recv()
		switch {
		case err != nil:
			return err
		case m.Canceled:
			return errors.New(m.CancelReason)
		case len(m.Events) > 0 || r.StartRevision == 0:
			return nil
		}
	}
}

func drained[M any](s grpc.ServerStreamingClient[M], err error) error {
	if err != nil {
		return err
	}
	for {
		if _, err := s.Recv(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

func getOp(from, to string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte(from), RangeEnd: []byte(to)}}}
}

func putOp(key string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(key), Value: []byte("x")}}}
}

func deleteOp(from, to string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte(from), RangeEnd: []byte(to)}}}
}

func nestedOp(t *pb.TxnRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: t}}
}

func created(key, end string) *pb.Compare {
	return &pb.Compare{
		Key: []byte(key), RangeEnd: []byte(end), Target: pb.Compare_CREATE, Result: pb.Compare_GREATER,
		TargetUnion: &pb.Compare_CreateRevision{CreateRevision: 0},
	}
}

// Whom etcd 3.7.3 lets in.
const (
	owner   = "its owner"
	anyUser = "any user"
	anyone  = "anyone"
)

func refused(err error) bool {
	if err == nil {
		return false
	}
	for _, text := range []string{
		"permission denied", // maintenance calls of older versions put another word in front
		rpctypes.ErrUserEmpty.Error(), rpctypes.ErrInvalidAuthToken.Error(), rpctypes.ErrAuthFailed.Error(),
	} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

func verdict(err error) string {
	if refused(err) {
		return "refused: " + rpctypes.ErrorDesc(err)
	}
	if err != nil {
		return "ALLOWED, then: " + rpctypes.ErrorDesc(err)
	}
	return "ALLOWED"
}

// own is the intruder's own name, or what it claims to be.
func (i *intruder) own(claimed string) string {
	if i.self == "" {
		return claimed
	}
	return i.self
}
