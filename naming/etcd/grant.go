package etcd

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// grantGrace is how long a grant may go on after nobody wants it any more.
const grantGrace = time.Second

// grant takes a lease. Once etcd has been asked for one, the answer is waited for even where ctx ends meanwhile, as it does
// when a service is deregistered while it still joins: else the lease would stay, without keys and without an owner, until
// it has run out.
func (d *Driver) grant(ctx context.Context, h *handle, seconds int64) (clientv3.LeaseID, error) {
	gctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() { time.AfterFunc(grantGrace, cancel) })
	type answer struct {
		id  clientv3.LeaseID
		err error
	}
	got := make(chan answer)
	d.wg.Go(func() {
		defer cancel()
		defer unhook()
		var a answer
		r, err := h.cli.Grant(gctx, seconds)
		if a.err = err; err == nil {
			a.id = r.ID
		}
		select {
		case got <- a:
		case <-ctx.Done():
			if err == nil {
				rctx, stop := context.WithTimeout(context.WithoutCancel(ctx), grantGrace)
				defer stop()
				_, _ = h.cli.Revoke(rctx, r.ID)
			}
		}
	})
	select {
	case a := <-got:
		return a.id, a.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// disown revokes a lease that nothing has come of, or that is wanted no more, even where ctx has ended.
func (d *Driver) disown(ctx context.Context, h *handle, lease clientv3.LeaseID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grantGrace)
	defer cancel()
	_, _ = h.cli.Revoke(ctx, lease)
}
