package rig

import (
	"context"
	"strings"
	"time"

	peer "github.com/kitex-contrib/registry-etcd"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const leavingMark = `"muster.state":"leaving"`

// sighting is one change of a serving key that the observer has seen.
type sighting struct {
	at      time.Time
	listed  bool
	leaving bool // announced
	// withdrawn without a word: the key went while the process was still on the roster, so that no lease has run out
	withdrawn bool
	told      bool // the process has been asked to end: whatever ends its listing now is its leave
	unknown   bool // etcd's data were replaced: nothing is known from here on
}

// change is what one event of a watch says.
type change struct {
	key, value string
	put        bool
}

// refresh makes a new unmodified resolver: after an outage the old one's client waits for up to two minutes before it tries
// again, which would tell nothing of Muster. It has no Close; the few that a run makes end with it.
func (o *Observer) refresh() error {
	opts := []peer.Option{peer.WithEtcdServicePrefix(root + Namespace + "/" + group), peer.WithDialTimeoutOpt(5 * time.Second)}
	if o.user != "" {
		opts = append(opts, peer.WithAuthOpt(o.user, o.user))
	}
	resolver, err := peer.NewEtcdResolver(o.endpoints, opts...)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.resolver = resolver
	return nil
}

func (o *Observer) watch(ctx context.Context, cli *clientv3.Client, from int64, done chan struct{}) {
	defer close(done)
	for ctx.Err() == nil {
		wctx, cancel := context.WithCancel(ctx)
		for r := range cli.Watch(wctx, root, clientv3.WithPrefix(), clientv3.WithRev(from)) {
			at := time.Now()
			var all []change
			for _, e := range r.Events {
				all = append(all, change{string(e.Kv.Key), string(e.Kv.Value), e.Type == clientv3.EventTypePut})
			}
			o.mu.Lock()
			o.sight(at, all)
			o.mu.Unlock()
			if r.Header.Revision >= from {
				from = r.Header.Revision + 1
			}
			if r.CompactRevision > from {
				from = r.CompactRevision
			}
		}
		cancel()
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// sight takes in what came at once; mu is held. What one transaction, or the end of a lease, changes comes at once.
func (o *Observer) sight(at time.Time, all []change) {
	const serving, roster = root + Namespace + "/" + group + "/", root + Namespace + "/.roster/" + group + "/"
	for _, c := range all {
		if strings.HasPrefix(c.key, roster) {
			o.alive[c.key] = c.put
		}
	}
	for _, c := range all {
		if instance, ok := strings.CutPrefix(c.key, serving); ok {
			leaving := c.put && strings.Contains(c.value, leavingMark)
			o.seen[c.key] = append(o.seen[c.key], sighting{
				at: at, listed: c.put && !leaving, leaving: leaving, withdrawn: !c.put && o.alive[roster+instance],
			})
		}
	}
}

// departed reports whether, at that moment, an instance had left or withdrawn for longer than the grace, as far as the
// observer knows. A lease that runs out is neither: a caller may go on with instances that seem to live.
func (o *Observer) departed(key string, at time.Time, grace time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	var since time.Time // of the announcement
	told := false
	for _, s := range o.seen[key] {
		if s.at.After(at.Add(2 * grace)) { // the caller may hear of a return before the observer does
			break
		}
		switch {
		case s.told:
			told = true
		case s.listed || s.unknown:
			since, told = time.Time{}, told && s.unknown
		case (s.leaving || s.withdrawn || told) && since.IsZero():
			since = s.at
		}
	}
	return !since.IsZero() && at.After(since.Add(grace))
}

// tell notes that an instance has been asked to end.
func (o *Observer) tell(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen[key] = append(o.seen[key], sighting{at: time.Now(), told: true})
}

// Announced reports whether an instance that was listed has announced its leave since it was asked to end.
func (o *Observer) Announced(key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	listed, told := false, false
	for _, s := range o.seen[key] {
		switch {
		case s.told:
			told = true
		case s.listed:
			listed, told = true, false
		case s.leaving && told:
			return true
		case !told:
			listed = false // withdrawn before
		}
	}
	return !listed
}
