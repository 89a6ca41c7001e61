package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

// ErrNoInstance says that there is no such instance of Muster's to give an order to.
var ErrNoInstance = errors.New("etcd: no such instance")

// maxOrder bounds Offline's until, as etcd bounds a lease.
const maxOrder = 10 * 365 * 24 * time.Hour

// SetOffline orders the instance that is at the address now to serve nobody, until SetOnline, or until a time if that is not
// zero. It returns the instance's id, to which the order is bound: a new process at the address is not born offline. The
// order survives restarts of etcd, lost leases and reconnects. One that was given before is replaced. The instance obeys
// within milliseconds of hearing of it; Fleet shows whether it has.
//
// An order with an end is on a lease of its own besides, which etcd ends: it goes by whichever clock is first, the
// instance's or etcd's.
func (d *Driver) SetOffline(ctx context.Context, service, addr, by string, until time.Time) (id string, err error) {
	err = d.order(ctx, service, addr, func(ctx context.Context, h *handle, keys memberKeys) error {
		if until.IsZero() {
			id, err = d.putOrder(ctx, h, keys, order{By: by})
			return err
		}
		left := time.Until(until)
		if left <= 0 || left > maxOrder {
			return fmt.Errorf("%w: offline until %s: want a time to come, within ten years", naming.ErrInvalid, until.Format(time.RFC3339))
		}
		lease, err := d.grant(ctx, h, int64(left/time.Second)+1)
		if err != nil {
			return fmt.Errorf("etcd: offline: %w", err)
		}
		id, err = d.putOrder(ctx, h, keys, order{By: by, Until: until.UTC()}, clientv3.WithLease(lease))
		if err != nil {
			d.disown(ctx, h, lease) // nothing is on it, or what nobody has heard of
		}
		return err
	})
	return id, err
}

// putOrder writes an order for the instance that is there when it commits, and returns that one's id.
func (d *Driver) putOrder(ctx context.Context, h *handle, keys memberKeys, o order, opts ...clientv3.OpOption) (string, error) {
	for range tries {
		roster, _, err := readOrder(ctx, h, keys)
		if err != nil {
			return "", err
		}
		e, ok := rosterEntry{}, false
		if roster != nil {
			e, ok = decodeRoster(d.cfg.Namespace, roster.Value)
		}
		if !ok {
			return "", ErrNoInstance
		}
		o.ID = e.ID
		value, err := json.Marshal(o)
		if err != nil {
			return "", fmt.Errorf("%w: offline: %w", naming.ErrInvalid, err)
		}
		// The id at the address changes with the lease, never under one.
		t, err := h.Txn(ctx).
			If(clientv3.Compare(clientv3.LeaseValue(keys.roster), "=", roster.Lease)).
			Then(clientv3.OpPut(keys.operator, string(value), append(opts, clientv3.WithPrevKV())...)).Commit()
		if err != nil {
			return "", fmt.Errorf("etcd: offline: %w", err)
		}
		if t.Succeeded {
			if old := t.Responses[0].GetResponsePut().GetPrevKv(); old != nil && old.Lease != 0 {
				d.disown(ctx, h, clientv3.LeaseID(old.Lease)) // nothing is on it any more
			}
			return o.ID, nil
		}
	}
	return "", errChanged
}

// SetOnline takes an operator's order back, whichever instance it is bound to, and reports whether there was one. Where
// there was none and no instance either, it is ErrNoInstance.
func (d *Driver) SetOnline(ctx context.Context, service, addr string) (was bool, err error) {
	err = d.order(ctx, service, addr, func(ctx context.Context, h *handle, keys memberKeys) error {
		roster, op, err := readOrder(ctx, h, keys)
		if err != nil {
			return err
		}
		if op == nil && roster == nil {
			return ErrNoInstance
		}
		if op == nil {
			return nil
		}
		if _, err := h.Delete(ctx, keys.operator); err != nil {
			return fmt.Errorf("etcd: online: %w", err)
		}
		was = true
		if op.Lease != 0 { // nothing is on it any more; if this fails it runs out
			_, _ = h.cli.Revoke(ctx, clientv3.LeaseID(op.Lease))
		}
		return nil
	})
	return was, err
}

// order checks what an order is about, and gives it.
func (d *Driver) order(ctx context.Context, service, addr string, give func(context.Context, *handle, memberKeys) error) error {
	if err := errors.Join(naming.CheckService(service), naming.CheckAddr(addr)); err != nil {
		return err
	}
	ctx, stop, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer stop()
	h, err := d.conn.get(ctx)
	if err != nil {
		return err
	}
	err = give(ctx, h, d.keys.member(service, addr))
	if errors.Is(err, ErrNoInstance) {
		err = fmt.Errorf("%w: %s of %s in %s", err, addr, service, d.cfg.Namespace)
	}
	return d.conn.explain(err)
}

func readOrder(ctx context.Context, h *handle, keys memberKeys) (roster, op *mvccpb.KeyValue, err error) {
	r, err := h.Txn(ctx).Then(clientv3.OpGet(keys.roster), clientv3.OpGet(keys.operator)).Commit()
	if err != nil {
		return nil, nil, fmt.Errorf("etcd: order: %w", err)
	}
	return first(r, 0), first(r, 1), nil
}
