package rig

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// life is what is known of when a lease runs out: between two moments, since etcd tells whole seconds only.
type life struct{ from, to time.Time }

// see takes in that etcd, asked at one moment and heard at another, gave a lease that many seconds, rounded down. It
// reports whether the lease has been renewed since it was first seen.
func (l *life) see(asked, heard time.Time, seconds int64) (renewed bool) {
	from, to := asked.Add(time.Duration(seconds)*time.Second), heard.Add(time.Duration(seconds+1)*time.Second)
	if l.from.IsZero() {
		l.from, l.to = from, to
		return false
	}
	if from.After(l.to) || to.Before(l.from) {
		return true
	}
	if from.After(l.from) {
		l.from = from
	}
	if to.Before(l.to) {
		l.to = to
	}
	return false
}

// Renewed waits until the lease of every instance has been renewed since etcd's return. A renewal is seen by the lease's end:
// the leader that takes office gives each lease its TTL and the election timeout of 1 s, a renewal its TTL from then on. In
// the first second these can't be told apart, so that only the next renewal is seen, a third of the TTL later; the limit has
// to leave room for that.
func (w *World) Renewed(ctx context.Context, since time.Time, within time.Duration) {
	ctx, cancel := context.WithDeadline(ctx, since.Add(within))
	defer cancel()
	lives := map[*Instance]*life{}
	for _, i := range w.Instances() {
		lives[i] = &life{}
	}
	for len(lives) > 0 && ctx.Err() == nil {
		v, err := w.Observer.Look(ctx)
		for i, l := range lives {
			lease := v.Keys[i.Roster()]
			if err != nil || lease == 0 {
				continue // what is missing is Restored's
			}
			asked := time.Now()
			r, err := w.Observer.Client().TimeToLive(ctx, clientv3.LeaseID(lease))
			if err == nil && l.see(asked, time.Now(), r.TTL) {
				delete(lives, i)
			}
		}
		pause(ctx, 50*time.Millisecond)
	}
	for i := range lives {
		w.Breach("%s has not renewed its lease within %v\n%s", i.Name, within, i.Tail(8))
	}
	if len(lives) == 0 {
		w.Say("every lease renewed after %v", time.Since(since).Round(time.Millisecond))
	}
}
