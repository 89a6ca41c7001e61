package rig

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudwego/kitex/pkg/discovery"
	peer "github.com/kitex-contrib/registry-etcd"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// Keys of etcd, spelt out here once more: the observer shares no code with Muster.
const (
	root      = "muster/"
	Namespace = "chaos"
	group     = "default"
)

// ServingKey is where an instance is listed for traffic, RosterKey where it is said to be alive.
func ServingKey(service, addr string) string {
	return root + Namespace + "/" + group + "/" + service + "/" + addr
}

// RosterKey is where an instance is said to be alive.
func RosterKey(service, addr string) string {
	return root + Namespace + "/.roster/" + group + "/" + service + "/" + addr
}

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

// Observer looks at etcd past Muster: a raw client, and an unmodified registry-etcd resolver.
type Observer struct {
	endpoints []string
	user      string

	mu       sync.Mutex // guards everything that follows
	cli      *clientv3.Client
	resolver discovery.Resolver
	watching context.CancelFunc
	watched  chan struct{}
	seen     map[string][]sighting // by serving key
	alive    map[string]bool       // the roster's keys
}

func newObserver(endpoints []string) *Observer {
	return &Observer{endpoints: endpoints, seen: map[string][]sighting{}, alive: map[string]bool{}}
}

// RawClient returns a client of etcd's own, which finds an etcd that comes back within a quarter of a second.
func RawClient(endpoints []string, user, password string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: endpoints, Username: user, Password: password, Logger: zap.NewNop(), DialTimeout: 5 * time.Second,
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: 250 * time.Millisecond},
			MinConnectTimeout: time.Second,
		})},
	})
}

// Open connects, or connects anew after etcd's data were replaced, which clientv3's watches don't survive.
func (o *Observer) Open(ctx context.Context) error {
	o.Close()
	cli, err := RawClient(o.endpoints, o.user, o.user)
	if err != nil {
		return err
	}
	if err := o.refresh(); err != nil {
		return err
	}
	r, err := cli.Get(ctx, root, clientv3.WithPrefix())
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	for k := range o.seen {
		o.seen[k] = append(o.seen[k], sighting{at: now, unknown: true})
	}
	clear(o.alive)
	var all []change
	for _, kv := range r.Kvs {
		all = append(all, change{string(kv.Key), string(kv.Value), true})
	}
	o.sight(now, all)
	wctx, cancel := context.WithCancel(context.Background())
	o.cli, o.watching, o.watched = cli, cancel, make(chan struct{})
	go o.watch(wctx, cli, r.Header.Revision+1, o.watched)
	return nil
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

// Close ends the observer's connections.
func (o *Observer) Close() {
	o.mu.Lock()
	cli, cancel, done := o.cli, o.watching, o.watched
	o.cli = nil
	o.mu.Unlock()
	if cli != nil {
		cancel()
		_ = cli.Close()
		<-done
	}
}

// Client is the raw client.
func (o *Observer) Client() *clientv3.Client {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cli
}

// View is what etcd holds at one moment.
type View struct {
	Serving map[string]string // value by key; those that announce their leave are not in it
	Roster  map[string]string
	Keys    map[string]int64 // the lease of each key that instances write, by key
	Leases  map[int64]bool
}

// Look reads everything.
func (o *Observer) Look(ctx context.Context) (View, error) {
	v := View{Serving: map[string]string{}, Roster: map[string]string{}, Keys: map[string]int64{}, Leases: map[int64]bool{}}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	cli := o.Client()
	r, err := cli.Get(ctx, root, clientv3.WithPrefix())
	if err != nil {
		return v, err
	}
	for _, kv := range r.Kvs {
		k := string(kv.Key)
		switch {
		case strings.Contains(k, "/.guard/"), strings.Contains(k, "/.operator/"):
			continue
		case strings.Contains(k, "/.roster/"):
			v.Roster[k] = string(kv.Value)
		case strings.Contains(k, "/.claim/"):
		case !strings.Contains(string(kv.Value), leavingMark):
			v.Serving[k] = string(kv.Value)
		}
		v.Keys[k] = kv.Lease
	}
	l, err := cli.Leases(ctx)
	if err != nil {
		return v, err
	}
	for _, s := range l.Leases {
		v.Leases[int64(s.ID)] = true
	}
	return v, nil
}

// Resolve asks the unmodified resolver for a service's addresses.
func (o *Observer) Resolve(ctx context.Context, service string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	o.mu.Lock()
	resolver := o.resolver
	o.mu.Unlock()
	r, err := resolver.Resolve(ctx, service)
	if err != nil {
		if strings.Contains(err.Error(), "no instance remains") {
			return nil, nil
		}
		return nil, err
	}
	var all []string
	for _, i := range r.Instances {
		all = append(all, i.Address().String())
	}
	slices.Sort(all)
	return all, nil
}

// AwaitAnswer waits until etcd answers, and returns since when.
func (o *Observer) AwaitAnswer(ctx context.Context) (time.Time, error) {
	for {
		rctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		_, err := o.Client().Get(rctx, "x", clientv3.WithCountOnly())
		cancel()
		if err == nil {
			return time.Now(), nil
		}
		if ctx.Err() != nil {
			return time.Time{}, fmt.Errorf("etcd does not answer the observer: %w", err)
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// AwaitKey waits until a key is there, or is not, and returns when that was.
func (o *Observer) AwaitKey(ctx context.Context, key string, there bool) (time.Time, error) {
	for {
		rctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		r, err := o.Client().Get(rctx, key, clientv3.WithCountOnly())
		cancel()
		if err == nil && (r.Count > 0) == there {
			return time.Now(), nil
		}
		if ctx.Err() != nil {
			return time.Time{}, fmt.Errorf("%s: want it there: %v: %w", key, there, context.Cause(ctx))
		}
		pause(ctx, 10*time.Millisecond)
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

// addresses returns the part behind the service of each serving key, by service.
func (v View) addresses(service string) []string {
	var all []string
	for k := range maps.Keys(v.Serving) {
		if a, ok := strings.CutPrefix(k, ServingKey(service, "")); ok {
			all = append(all, a)
		}
	}
	slices.Sort(all)
	return all
}

// idle returns the leases that no key is on: those of a process that has gone, or that was given more than one.
func (v View) idle() []int64 {
	used := map[int64]bool{}
	for _, lease := range v.Keys {
		used[lease] = true
	}
	var all []int64
	for lease := range v.Leases {
		if !used[lease] {
			all = append(all, lease)
		}
	}
	slices.Sort(all)
	return all
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// As has the observer log in from its next Open on, as a user whose password is its name.
func (o *Observer) As(user string) { o.user = user }
