package rows

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/kitexext"
	"github.com/muster-go/muster/naming"
)

const (
	publishFigure  = "publish → first pick"
	withdrawFigure = "withdraw → last pick"
	leaveFigure    = "leave → last pick"
	ownEvent       = "its own event"
	pushed         = "its push"
	sameTxn        = "bare etcd, same transaction"

	// settleFor is for how long nobody may pick an instance until its last pick counts as the last.
	settleFor = 15 * time.Millisecond
	patience  = 30 * time.Second
)

// Latency measures how long a change in the registry takes to reach the picks of a busy client.
func Latency(e *rig.Env, row *report.Row) error {
	row.What = "A Kitex client calls without a pause; its calls end where an instance has been picked, so that no network is in " +
		"the figure. Beside an instance that stays, another is published and taken out again by the real drivers. The clock runs " +
		"from the call of the driver's method, so that its requests to etcd are in, to the first or the last pick of that " +
		"instance. The limit beside it is a put of the same value by clientv3, seen by a watch of clientv3 in the " +
		"same process and under the same load: etcd, the network and the scheduler are the same for both. The two come in turns. " +
		"\"Its own event\" is when a bare watch in the same process heard of the very write that Muster made, counted from the same " +
		"call: beside it, 1 is as quick as a watch can be, and what is more than bare etcd's is the write's. A withdrawal reads the roster " +
		"first, so that the floor holds, which is a second round trip; a leave does not. \"Its push\" is when the new list had reached the " +
		"client's balancer: every pick that begins later obeys it. \"Same transaction\" is bare etcd writing what a publication writes: " +
		"three keys, two of them on a lease, after two comparisons."
	for _, n := range []int{1, 10, 100} {
		if e.Smoke && n == 100 {
			continue
		}
		e.Log("%d upstreams", n)
		if err := latencyOf(e, row, n); err != nil {
			return fmt.Errorf("%d upstreams: %w", n, err)
		}
	}
	return latencyPolled(e, row)
}

// latencyRig is one client, one member that comes and goes, and a bare watch of everything.
type latencyRig struct {
	e     *rig.Env
	row   *report.Row
	name  string
	cli   *clientv3.Client
	u     *upstream
	m     naming.Membership
	push  atomic.Int64 // when the client's balancer last got a new list of the service
	idle  int          // repetitions that are left out since the caller did not run
	lease clientv3.LeaseID
	join  func() (naming.Membership, error)

	events chan heard
}

// heard is one event of the bare watch.
type heard struct {
	at  int64
	key string
}

const toggled = "10.0.0.2:8888"

func latencyOf(e *rig.Env, row *report.Row, n int) error {
	node, err := e.Etcd()
	if err != nil {
		return err
	}
	defer node.Kill()
	cli, err := bareClient(node.Endpoint())
	if err != nil {
		return err
	}
	defer cli.Close()
	writer, err := newDriver(node.Endpoint())
	if err != nil {
		return err
	}
	defer writer.Close()
	reader, err := newDriver(node.Endpoint())
	if err != nil {
		return err
	}
	defer reader.Close()
	cat, err := newCatalog(reader)
	if err != nil {
		return err
	}
	defer cat.Close()

	lr := &latencyRig{e: e, row: row, name: plural(n, "upstream"), cli: cli, events: make(chan heard, 64)}
	onPush := kitexext.OnPush(func(p kitexext.Push) {
		if p.Service == "svc-000" {
			lr.push.Store(now())
		}
	})
	var all []*upstream
	for i := range n {
		service := fmt.Sprintf("svc-%03d", i)
		if _, err := cli.Put(e, servingPrefix+"/"+service+"/10.0.0.1:8888", value("10.0.0.1:8888", 10)); err != nil {
			return err
		}
		u, err := newUpstream(service, toggled, kitexext.WithResolver(cat, onPush))
		if err != nil {
			return err
		}
		if err := u.call(e); err != nil {
			return err
		}
		all = append(all, u)
	}
	lr.u = all[0]
	grant, err := cli.Grant(e, 600)
	if err != nil {
		return err
	}
	lr.lease = grant.ID
	lr.join = func() (naming.Membership, error) {
		in, err := naming.Instance{Service: "svc-000", Addr: toggled, ID: "toggled"}.Normalize()
		if err != nil {
			return nil, err
		}
		return writer.Join(e, naming.Claim{Instance: in, Status: naming.Status{State: "waiting", Started: time.Now()}})
	}
	watchCtx, stopWatch := context.WithCancel(e)
	defer stopWatch()
	go lr.watch(watchCtx)
	if lr.m, err = lr.join(); err != nil {
		return err
	}
	stop := load(all)
	err = lr.repeat(e.Reps(150, 3))
	if lerr := stop(); err == nil {
		err = lerr
	}
	if err == nil {
		lr.compare()
	}
	return err
}

// watch is the bare watch, on a client and a stream of its own.
func (l *latencyRig) watch(ctx context.Context) {
	for _, prefix := range []string{servingPrefix + "/svc-000/", "bare/"} {
		go func() {
			for r := range l.cli.Watch(ctx, prefix, clientv3.WithPrefix()) {
				at := now()
				for _, ev := range r.Events {
					select {
					case l.events <- heard{at, string(ev.Kv.Key)}:
					default: // nobody waits for it
					}
				}
			}
		}()
	}
}

func (l *latencyRig) repeat(reps int) error {
	const key = "bare/svc-000/" + toggled
	text := value(toggled, 10)
	for i := range reps + 2 {
		warm := i < 2
		// A B A B: the bare write, then Muster's, for coming and for going.
		write := func(ctx context.Context) error { _, err := l.cli.Put(ctx, key, text); return err }
		put, err := l.bareWrite(key, write)
		if err != nil {
			return err
		}
		first, firstEvent, firstPush, err := l.publish()
		if err != nil {
			return err
		}
		same, err := l.bareWrite(key, func(ctx context.Context) error { return l.sameTxn(ctx, key, text) })
		if err != nil {
			return err
		}
		again, err := l.bareWrite(key, write)
		if err != nil {
			return err
		}
		last, lastEvent, lastPush, err := l.takeOut(func(ctx context.Context) error {
			_, err := l.m.Withdraw(ctx, naming.Floor{}, naming.Status{State: "withdrawn", Unfit: true}, naming.Status{State: "held", Unfit: true})
			return err
		})
		if err != nil {
			return err
		}
		if _, _, _, err := l.publish(); err != nil {
			return err
		}
		left, leftEvent, leftPush, err := l.takeOut(func(ctx context.Context) error { return l.m.Leave(ctx) })
		if err != nil {
			return err
		}
		if l.m, err = l.join(); err != nil {
			return err
		}
		if _, err := l.cli.Delete(l.e, key); err != nil {
			return err
		}
		if warm {
			continue
		}
		for _, v := range []struct {
			figure                  string
			bare, took, event, push int64
		}{
			{publishFigure, put, first, firstEvent, firstPush},
			{withdrawFigure, again, last, lastEvent, lastPush},
			{leaveFigure, again, left, leftEvent, leftPush},
		} {
			if v.took < 0 {
				l.idle++
				continue
			}
			l.row.Add(l.name, v.figure, bare, report.Nanoseconds, float64(v.bare))
			l.row.Add(l.name, v.figure, musterSide, report.Nanoseconds, float64(v.took))
			l.row.Add(l.name, v.figure, ownEvent, report.Nanoseconds, float64(v.event))
			l.row.Add(l.name, v.figure, pushed, report.Nanoseconds, float64(v.push))
		}
		l.row.Add(l.name, publishFigure, sameTxn, report.Nanoseconds, float64(same))
	}
	return nil
}

func (l *latencyRig) compare() {
	for _, f := range []struct {
		figure   string
		p50, p99 float64
	}{{publishFigure, 1.3, 2}, {withdrawFigure, 1, 1.2}, {leaveFigure, 1, 1.2}} {
		l.row.Compare(l.name, f.figure, musterSide, bare, "p50").AtMost(f.p50).Draw(f.figure + ", " + l.name + ", beside bare etcd")
		l.row.Compare(l.name, f.figure, musterSide, bare, "p99").AtMost(f.p99)
		l.row.Compare(l.name, f.figure, musterSide, ownEvent, "pairs")
		l.row.Compare(l.name, f.figure, pushed, ownEvent, "pairs")
	}
	l.row.Compare(l.name, publishFigure, musterSide, sameTxn, "p50")
	l.row.Compare(l.name, publishFigure, sameTxn, bare, "p50")
	if l.idle > 0 {
		l.row.Note("%s: %d withdrawals and leaves are left out, since the machine gave the caller no time: the instance was last picked before the call.", l.name, l.idle)
	}
}

// settle lets what came before end, alike before each write, and forgets its events.
func (l *latencyRig) settle() {
	time.Sleep(3 * time.Millisecond)
	for {
		select {
		case <-l.events:
		default:
			return
		}
	}
}

// bareWrite returns the time from the call to the watch's event.
func (l *latencyRig) bareWrite(key string, write func(context.Context) error) (int64, error) {
	ctx, cancel := context.WithTimeout(l.e, patience)
	defer cancel()
	l.settle()
	start := now()
	if err := write(ctx); err != nil {
		return 0, err
	}
	at, err := l.event(ctx, key)
	return at - start, err
}

func (l *latencyRig) event(ctx context.Context, key string) (int64, error) {
	for {
		select {
		case h := <-l.events:
			if h.key == key {
				return h.at, nil
			}
		case <-ctx.Done():
			return 0, fmt.Errorf("no event of %s: %w", key, context.Cause(ctx))
		}
	}
}

// sameTxn writes what a publication writes: the serving value and the roster's on a lease, and the guard, if the key is as
// it was.
func (l *latencyRig) sameTxn(ctx context.Context, key, text string) error {
	_, err := l.cli.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), ">", 0), clientv3.Compare(clientv3.LeaseValue("bare/roster"), "=", 0)).Then(
		clientv3.OpPut("bare/roster-of-it", text, clientv3.WithLease(l.lease)),
		clientv3.OpPut(key, text, clientv3.WithLease(l.lease)), clientv3.OpPut("bare/guard", "1")).Commit()
	return err
}

// publish returns the times from the call to the first pick, to the bare watch's event of that write, and to the push.
func (l *latencyRig) publish() (pick, event, push int64, err error) {
	ctx, cancel := context.WithTimeout(l.e, patience)
	defer cancel()
	l.settle()
	l.u.arm()
	start := now()
	if err := l.m.Publish(ctx, naming.Status{State: "serving"}, false); err != nil {
		return 0, 0, 0, err
	}
	at, err := l.event(ctx, servingPrefix+"/svc-000/"+toggled)
	if err != nil {
		return 0, 0, 0, err
	}
	first, err := l.u.awaitFirst(ctx)
	time.Sleep(time.Millisecond) // the push is told of after it has happened
	return first - start, at - start, l.push.Load() - start, err
}

// takeOut returns the times from the call to the last pick, to the bare watch's first event, and to the push.
func (l *latencyRig) takeOut(how func(context.Context) error) (pick, event, push int64, err error) {
	ctx, cancel := context.WithTimeout(l.e, patience)
	defer cancel()
	l.settle()
	start := now()
	if err := how(ctx); err != nil {
		return 0, 0, 0, err
	}
	at, err := l.event(ctx, servingPrefix+"/svc-000/"+toggled)
	if err != nil {
		return 0, 0, 0, err
	}
	last, err := l.u.awaitLast(ctx, settleFor)
	return last - start, at - start, l.push.Load() - start, err
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
