package etcd

import (
	"context"
	"maps"
	"slices"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc"
)

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
