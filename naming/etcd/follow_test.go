package etcd

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/internal/etcdtest"
)

// TestAnEraThatBeginsBetweenTwoWatches: the data are replaced just when the watch is not open.
func TestAnEraThatBeginsBetweenTwoWatches(t *testing.T) {
	t.Parallel()
	d := newDriver(t, etcdtest.Start(t).Endpoint())
	ctx, cancel := context.WithCancel(within(t))
	reads, settles := make(chan struct{}, 10), 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		follow(ctx, d.conn, follower{
			name: "x/", keys: []string{"x/"}, spread: viewSpread,
			read:  func(context.Context, *handle) (int64, error) { reads <- struct{}{}; return 1, nil },
			apply: func([]*clientv3.Event) {},
			settle: func(context.Context, int64) error {
				if settles++; settles == 2 {
					d.conn.sight.newEra()
					return errors.New("a repair that did not succeed")
				}
				return nil
			},
		})
	}()
	for range 2 {
		select {
		case <-reads:
		case <-ctx.Done():
			t.Error("not read anew")
		}
	}
	cancel()
	<-done
}

// TestOnlyALookSaysThatEtcdIsBack: a read that succeeds while looks do not would have everybody read everything, for ever.
func TestOnlyALookSaysThatEtcdIsBack(t *testing.T) {
	t.Parallel()
	s, log := newSight(), slog.New(slog.DiscardHandler)
	back := s.returned()
	s.down(log, nil, errors.New("a look took too long"))
	s.up(log, nil)
	select {
	case <-back:
		t.Error("a read said so")
	default:
	}
	s.cameBack()
	<-back
}

// TestADoubtThatIsAnsweredWakes: who found no leader watches again as soon as there is one, not when its pause is over.
func TestADoubtThatIsAnsweredWakes(t *testing.T) {
	t.Parallel()
	d := newDriver(t, etcdtest.Start(t).Endpoint())
	_, err := d.Fleet(within(t), "")
	must(t, err)
	wake, back := d.conn.sight.woken(), d.conn.sight.returned()
	d.conn.doubt()
	select {
	case <-wake:
	case <-within(t).Done():
		t.Fatal("nobody is woken")
	}
	select {
	case <-back:
		t.Error("etcd is said to have been away")
	default:
	}
}
