package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// wall installs the roles of dev and prod by the means that a user has, and turns authentication on.
func wall(t *testing.T, endpoint string) {
	t.Helper()
	r, err := OpenRoles(Config{Endpoints: []string{endpoint}})
	must(t, err)
	defer r.Close()
	p, err := r.Plan(within(t), RolesSpec{
		Users:      []RolesUser{{Namespace: "dev", Password: "secret-dev"}, {Namespace: "prod", Password: "secret-prod"}},
		EnableAuth: true, RootPassword: "root",
	})
	must(t, err)
	must(t, r.Apply(within(t), p, nil))
}

// userOf is the credentials that wall has made.
func userOf(name string) func(*Config) {
	return func(c *Config) { c.Username, c.Password = RoleName("", name), "secret-"+name }
}

func inNamespace(t *testing.T, name string) func(*Config) {
	return func(c *Config) { c.Namespace = testNamespace(t, name) }
}

func rawClient(t *testing.T, endpoint, user, password string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint}, Username: user, Password: password, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
	})
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

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

func (i *intruder) kv() pb.KVClient             { return pb.NewKVClient(i.conn) }
func (i *intruder) leases() pb.LeaseClient      { return pb.NewLeaseClient(i.conn) }
func (i *intruder) cluster() pb.ClusterClient   { return pb.NewClusterClient(i.conn) }
func (i *intruder) maint() pb.MaintenanceClient { return pb.NewMaintenanceClient(i.conn) }
func (i *intruder) auth() pb.AuthClient         { return pb.NewAuthClient(i.conn) }

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

// TestWallCallByCall tries each call of etcd's API as the user of dev, and without a user, against what is prod's.
func TestWallCallByCall(t *testing.T) {
	t.Parallel()
	ports, err := etcdtest.FreePorts(2)
	must(t, err)
	// In a process of its own: etcd's lock service leaves goroutines behind where it refuses.
	node := etcdtest.NewProcess(etcdtest.Options{Dir: t.TempDir(), ClientPort: ports[0], PeerPort: ports[1], CheapHash: true})
	must(t, node.Start())
	t.Cleanup(node.Kill)
	m, lease := prodBehindAWall(t, node.Endpoint())
	admin := rawClient(t, node.Endpoint(), "root", "root")
	before := etcdtest.Keys(t, admin, prodDir)
	if len(before) != 3 {
		t.Fatalf("prod has %v", before)
	}

	for _, who := range []struct{ name, user, password string }{
		{"dev", "muster-dev", "secret-dev"},
		{"nobody", "", ""},
	} {
		c := rawClient(t, node.Endpoint(), who.user, who.password)
		i := &intruder{c: c, conn: c.ActiveConnection(), lease: lease, self: who.user}
		tried := map[string]bool{}
		for _, call := range wallCalls() {
			tried[call.method] = true
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			err := call.try(ctx, i)
			cancel()
			allowed := call.who == anyone || call.who == anyUser && who.user != ""
			t.Logf("%-7s %-28s %-44s %s", who.name, call.method, call.what, verdict(err))
			if refused(err) == allowed {
				t.Errorf("%s: %s, %s: %v, want it %s", who.name, call.method, call.what, err, map[bool]string{true: "allowed", false: "refused"}[allowed])
			}
		}
		for _, method := range apiMethods() {
			if !tried[method] {
				t.Errorf("%s was not tried", method)
			}
		}
	}

	if after := etcdtest.Keys(t, admin, prodDir); !maps.Equal(before, after) {
		t.Errorf("prod was %v\nand is %v", before, after)
	}
	if m.Err() != nil {
		t.Errorf("prod's instance was put out: %v", m.Err())
	}
	if ttl, err := admin.TimeToLive(within(t), clientv3.LeaseID(lease), clientv3.WithAttachedKeys()); err != nil || len(ttl.Keys) != 2 || ttl.TTL <= 0 {
		t.Errorf("prod's lease: %+v, %v", ttl, err)
	}
}

// prodBehindAWall installs the roles, and serves something in prod.
func prodBehindAWall(t *testing.T, endpoint string) (naming.Membership, int64) {
	t.Helper()
	wall(t, endpoint)
	prod := newDriver(t, endpoint, userOf("prod"), inNamespace(t, "prod"), func(c *Config) { c.LeaseTTL = 30 * time.Second })
	m := join(t, prod, claim("user-svc", 1))
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	kv, err := rawClient(t, endpoint, "root", "root").Get(within(t), prodKey)
	must(t, err)
	return m, kv.Kvs[0].Lease
}

// TestInstalledEtcd tries the same on the etcd that is installed here, which is mostly an older one: what WallHolds says of
// its version must be so.
func TestInstalledEtcd(t *testing.T) {
	t.Parallel()
	endpoint, version := etcdtest.StartInstalled(t)
	_, lease := prodBehindAWall(t, endpoint)
	c := rawClient(t, endpoint, "muster-dev", "secret-dev")
	i := &intruder{c: c, conn: c.ActiveConnection(), lease: lease, self: "muster-dev"}
	holes := map[string]bool{}
	for _, call := range wallCalls() {
		if call.who != owner {
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := call.try(ctx, i)
		cancel()
		if !refused(err) && status.Code(err) != codes.Unimplemented {
			t.Logf("etcd %s: %-28s %-44s %s", version, call.method, call.what, verdict(err))
			holes[call.method+", "+call.what] = true
		}
	}
	if WallHolds(version) && len(holes) > 0 {
		t.Errorf("etcd %s does not hold the wall", version)
	}
	if strings.HasPrefix(version, "3.4.") {
		for _, hole := range []string{"KV/Txn, nested put", "Watch/Watch, from dev on", "Lease/LeaseLeases, all", "Lease/LeaseKeepAlive, prod's"} {
			if !holes[hole] {
				t.Errorf("etcd %s refuses %s: the documents say otherwise", version, hole)
			}
		}
	}
}

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

// apiMethods are all methods that a client can reach on etcd's port.
func apiMethods() []string {
	var all []string
	for _, d := range []grpc.ServiceDesc{
		pb.KV_ServiceDesc, pb.Watch_ServiceDesc, pb.Lease_ServiceDesc, pb.Cluster_ServiceDesc, pb.Maintenance_ServiceDesc,
		pb.Auth_ServiceDesc, v3lockpb.Lock_ServiceDesc, v3electionpb.Election_ServiceDesc,
	} {
		service := d.ServiceName[strings.LastIndex(d.ServiceName, ".")+1:]
		for _, m := range d.Methods {
			all = append(all, service+"/"+m.MethodName)
		}
		for _, s := range d.Streams {
			all = append(all, service+"/"+s.StreamName)
		}
	}
	slices.Sort(all)
	return all
}

type wallCall struct {
	method, what, who string
	try               func(context.Context, *intruder) error
}

// wallCalls is what the documents say of etcd 3.7.3, in the form of a table.
func wallCalls() []wallCall {
	var all []wallCall
	add := func(method, what, who string, try func(context.Context, *intruder) error) {
		all = append(all, wallCall{method, what, who, try})
	}
	reads := map[string]*pb.RangeRequest{
		"one key":             {Key: []byte(prodKey)},
		"the namespace":       {Key: []byte(prodDir), RangeEnd: []byte("muster/prod0")},
		"a range across both": {Key: []byte("muster/dev/"), RangeEnd: []byte("muster/prod0")},
		"everything":          {Key: []byte{0}, RangeEnd: []byte{0}},
		"from dev on":         {Key: []byte("muster/dev/"), RangeEnd: []byte{0}},
		"count only":          {Key: []byte(prodDir), RangeEnd: []byte("muster/prod0"), CountOnly: true},
		"keys only":           {Key: []byte(prodDir), RangeEnd: []byte("muster/prod0"), KeysOnly: true},
		"serializable":        {Key: []byte(prodKey), Serializable: true},
		"an old revision":     {Key: []byte(prodKey), Revision: 3},
		"a key that is none":  {Key: []byte(prodNew)},
	}
	for _, what := range slices.Sorted(maps.Keys(reads)) {
		add("KV/Range", what, owner, func(ctx context.Context, i *intruder) error {
			_, err := i.kv().Range(ctx, reads[what])
			return err
		})
		add("KV/RangeStream", what, owner, func(ctx context.Context, i *intruder) error {
			return drained(i.kv().RangeStream(ctx, reads[what]))
		})
	}
	put := func(what string, r func(i *intruder) *pb.PutRequest) {
		add("KV/Put", what, owner, func(ctx context.Context, i *intruder) error {
			_, err := i.kv().Put(ctx, r(i))
			return err
		})
	}
	put("a new key", func(*intruder) *pb.PutRequest { return &pb.PutRequest{Key: []byte(prodNew), Value: []byte("x")} })
	put("over a key", func(*intruder) *pb.PutRequest { return &pb.PutRequest{Key: []byte(prodKey), Value: []byte("x")} })
	put("the guard", func(*intruder) *pb.PutRequest { return &pb.PutRequest{Key: []byte(prodGuard), Value: []byte("x")} })
	put("for the value before", func(*intruder) *pb.PutRequest { return &pb.PutRequest{Key: []byte(prodKey), PrevKv: true} })
	put("keeping the value", func(*intruder) *pb.PutRequest { return &pb.PutRequest{Key: []byte(prodKey), IgnoreValue: true} })
	put("an own key on prod's lease", func(i *intruder) *pb.PutRequest {
		return &pb.PutRequest{Key: []byte(devKey), Value: []byte("x"), Lease: i.lease}
	})
	deletes := map[string]*pb.DeleteRangeRequest{
		"one key":              {Key: []byte(prodKey)},
		"the namespace":        {Key: []byte(prodDir), RangeEnd: []byte("muster/prod0")},
		"everything":           {Key: []byte{0}, RangeEnd: []byte{0}},
		"from dev on":          {Key: []byte("muster/dev/"), RangeEnd: []byte{0}},
		"for the value before": {Key: []byte(prodKey), PrevKv: true},
	}
	for _, what := range slices.Sorted(maps.Keys(deletes)) {
		add("KV/DeleteRange", what, owner, func(ctx context.Context, i *intruder) error {
			_, err := i.kv().DeleteRange(ctx, deletes[what])
			return err
		})
	}
	txns := map[string]*pb.TxnRequest{
		"compare":                   {Compare: []*pb.Compare{created(prodKey, "")}},
		"compare a range":           {Compare: []*pb.Compare{created(prodDir, "muster/prod0")}},
		"compare, then an own put":  {Compare: []*pb.Compare{created(prodKey, "")}, Success: []*pb.RequestOp{putOp(devKey)}},
		"then get":                  {Success: []*pb.RequestOp{getOp(prodKey, "")}},
		"else get, never run":       {Failure: []*pb.RequestOp{getOp(prodDir, "muster/prod0")}},
		"then put":                  {Success: []*pb.RequestOp{putOp(prodNew)}},
		"else put, never run":       {Failure: []*pb.RequestOp{putOp(prodNew)}},
		"then delete":               {Success: []*pb.RequestOp{deleteOp(prodKey, "")}},
		"then delete everything":    {Success: []*pb.RequestOp{deleteOp("\x00", "\x00")}},
		"nested get":                {Success: []*pb.RequestOp{nestedOp(&pb.TxnRequest{Success: []*pb.RequestOp{getOp(prodKey, "")}})}},
		"nested put":                {Success: []*pb.RequestOp{nestedOp(&pb.TxnRequest{Success: []*pb.RequestOp{putOp(prodNew)}})}},
		"nested compare":            {Success: []*pb.RequestOp{nestedOp(&pb.TxnRequest{Compare: []*pb.Compare{created(prodKey, "")}})}},
		"own put beside a prod get": {Success: []*pb.RequestOp{putOp(devKey), getOp(prodKey, "")}},
	}
	for _, what := range slices.Sorted(maps.Keys(txns)) {
		add("KV/Txn", what, owner, func(ctx context.Context, i *intruder) error { return i.txn(ctx, txns[what]) })
	}
	add("KV/Txn", "then put on prod's lease", owner, func(ctx context.Context, i *intruder) error {
		op := putOp(devKey)
		op.GetRequestPut().Lease = i.lease
		return i.txn(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{op}})
	})
	add("KV/Compact", "the history", owner, func(ctx context.Context, i *intruder) error {
		_, err := i.kv().Compact(ctx, &pb.CompactionRequest{Revision: 2})
		return err
	})
	watches := map[string]*pb.WatchCreateRequest{
		"one key":       {Key: []byte(prodKey), StartRevision: 1},
		"the namespace": {Key: []byte(prodDir), RangeEnd: []byte("muster/prod0"), StartRevision: 1},
		"everything":    {Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: 1, Fragment: true},
		"from dev on":   {Key: []byte("muster/dev/"), RangeEnd: []byte{0}, PrevKv: true},
		"the future":    {Key: []byte(prodDir), RangeEnd: []byte("muster/prod0"), ProgressNotify: true},
	}
	for _, what := range slices.Sorted(maps.Keys(watches)) {
		add("Watch/Watch", what, owner, func(ctx context.Context, i *intruder) error { return i.watch(ctx, watches[what]) })
	}
	return slices.Concat(all, wallLeaseCalls(), wallOperatorCalls(), wallAuthCalls())
}

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

// own is the intruder's own name, or what it claims to be.
func (i *intruder) own(claimed string) string {
	if i.self == "" {
		return claimed
	}
	return i.self
}

// TestMusterBehindTheWall: Muster with dev's credentials is nobody in prod, whatever it is configured to be; with prod's it
// serves there.
func TestMusterBehindTheWall(t *testing.T) {
	t.Parallel()
	node := startWalled(t)
	wall(t, node.Endpoint())
	prod := newDriver(t, node.Endpoint(), userOf("prod"), inNamespace(t, "prod"))
	m := join(t, prod, claim("user-svc", 1))
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	until(t, watched(t, newDriver(t, node.Endpoint(), userOf("prod"), inNamespace(t, "prod")), "user-svc"), "10.0.0.1:8888")
	admin := rawClient(t, node.Endpoint(), "root", "root")
	before := etcdtest.Keys(t, admin, prodDir)

	for _, c := range []struct {
		name string
		edit func(*Config)
	}{
		{"dev's user", userOf("dev")},
		{"no user", func(*Config) {}},
		{"prod's user, wrong password", func(c *Config) { c.Username, c.Password = "muster-prod", "secret-dev" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			eve := newDriver(t, node.Endpoint(), c.edit, inNamespace(t, "prod"))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			tries := map[string]func(context.Context) error{
				"Join": func(ctx context.Context) error { _, err := eve.Join(ctx, claim("user-svc", 6)); return err },
				"Watch": func(ctx context.Context) error {
					return eve.Watch(ctx, "user-svc", func(u naming.Update) { t.Errorf("sees %v of prod", u.Snapshot) })
				},
				"Fleet": func(ctx context.Context) error { _, err := eve.Fleet(ctx, ""); return err },
				"SetOffline": func(ctx context.Context) error {
					_, err := eve.SetOffline(ctx, "user-svc", "10.0.0.1:8888", "eve", time.Time{})
					return err
				},
				"SetOnline": func(ctx context.Context) error { _, err := eve.SetOnline(ctx, "user-svc", "10.0.0.1:8888"); return err },
			}
			errs := make(chan error, len(tries))
			for name, try := range tries {
				go func() {
					err := try(ctx)
					if err == nil {
						err = fmt.Errorf("%s of prod succeeded", name)
					} else {
						err = nil
					}
					errs <- err
				}()
			}
			for range tries {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			if l := eve.Link(); l.Up || l.Err == nil || !refused(l.Err) {
				t.Errorf("Link = %+v, want the refusal", l)
			} else {
				t.Log(l.Err)
			}
		})
	}
	if after := etcdtest.Keys(t, admin, prodDir); !maps.Equal(before, after) {
		t.Errorf("prod was %v\nand is %v", before, after)
	}
	if m.Err() != nil {
		t.Error(m.Err())
	}
}

// TestCertificateIsAUser: etcd takes the common name of a client's certificate for the user, so that a namespace can be walled
// off without passwords; and whoever signs certificates must know that.
func TestCertificateIsAUser(t *testing.T) {
	t.Parallel()
	ca, dev, prod := etcdtest.NewAuthority(t), newIdentity(t), newIdentity(t)
	ca.Issue(dev.cert, dev.key, "muster-dev", 10)
	ca.Issue(prod.cert, prod.key, "muster-prod", 11)
	serve := ca.Serve("")
	node := etcdtest.Start(t, func(c *embed.Config) { serve(c); cheapHash(c) })
	open := func(edit ...func(*Config)) *Roles {
		t.Helper()
		cfg := Config{Endpoints: []string{node.Endpoint()}}
		for _, e := range append(edit, withTLS(ca.CAFile, dev)) {
			e(&cfg)
		}
		r, err := OpenRoles(cfg)
		must(t, err)
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	r := open()
	p, err := r.Plan(within(t), RolesSpec{
		Users:      []RolesUser{{Namespace: "dev", Password: "unknown-to-all"}, {Namespace: "prod", Password: "unknown-to-all"}},
		EnableAuth: true, RootPassword: "root",
	})
	must(t, err)
	must(t, r.Apply(within(t), p, nil))

	d := newDriver(t, node.Endpoint(), withTLS(ca.CAFile, dev))
	must(t, join(t, d, claim("user-svc", 1)).Leave(within(t)))
	d = newDriver(t, node.Endpoint(), withTLS(ca.CAFile, prod), inNamespace(t, "prod"))
	must(t, join(t, d, claim("user-svc", 1)).Leave(within(t)))
	d = newDriver(t, node.Endpoint(), withTLS(ca.CAFile, dev), inNamespace(t, "prod"))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := d.Join(ctx, claim("user-svc", 1)); !refused(err) {
		t.Errorf("dev's certificate in prod: %v", err)
	}
	if _, err := open(func(c *Config) { c.Username, c.Password = "root", "root" }).Plan(within(t), RolesSpec{}); err != nil {
		t.Errorf("a password does not win over the certificate: %v", err)
	}
}

// TestFreshLeaseAtEachAttempt: what etcd 3.7 leaves to any user are leases without keys: that of an instance that is about to
// join can be revoked, or have a foreign key put on it, which makes it useless to its owner. The next attempt takes another.
func TestFreshLeaseAtEachAttempt(t *testing.T) {
	t.Parallel()
	node := startWalled(t)
	wall(t, node.Endpoint())
	dev := rawClient(t, node.Endpoint(), "muster-dev", "secret-dev")
	for name, meddle := range map[string]func(clientv3.LeaseID) error{
		"revoked": func(id clientv3.LeaseID) error { _, err := dev.Revoke(within(t), id); return err },
		"occupied": func(id clientv3.LeaseID) error {
			_, err := dev.Put(within(t), devKey, "x", clientv3.WithLease(id))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDriver(t, node.Endpoint(), userOf("prod"), inNamespace(t, "prod"))
			h, err := d.conn.get(within(t))
			must(t, err)
			s, err := d.session(within(t), h) // the lease of the attempt that is about to be made
			must(t, err)
			must(t, meddle(s.id))
			if m, err := d.Join(within(t), claim("user-svc", 1)); err == nil {
				t.Errorf("joined on a lease that was %s", name)
				must(t, m.Leave(within(t)))
			}
			_ = s.release(within(t), h)
			m, err := d.Join(within(t), claim("user-svc", 1))
			for err != nil && within(t).Err() == nil { // the attempt that failed gives its lease back in the background
				m, err = d.Join(within(t), claim("user-svc", 1))
			}
			must(t, err)
			must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
			must(t, m.Leave(within(t)))
		})
	}
}
