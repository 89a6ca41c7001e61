package etcd

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/naming"
)

// sight is what is known of the cluster: whether it answers, and how far its history has been seen.
type sight struct {
	link atomic.Pointer[naming.Link]
	rev  atomic.Int64
	term atomic.Uint64
	// cluster is the id of the one that answered first, or of the one that took its place.
	cluster atomic.Uint64

	// mu guards everything that follows.
	mu *sync.Mutex
	// epoch is closed and replaced when the data behind it is another one, back when etcd answers again, wake when it has
	// answered a look that somebody's doubt asked for.
	epoch, back, wake chan struct{}
}

func newSight() sight {
	return sight{mu: new(sync.Mutex), epoch: make(chan struct{}), back: make(chan struct{}), wake: make(chan struct{})}
}

// saw notes the revision of an answer.
func (s *sight) saw(rev int64) {
	for old := s.rev.Load(); rev > old && !s.rev.CompareAndSwap(old, rev); old = s.rev.Load() {
	}
}

// era returns a channel that is closed once the cluster's data has been wiped or restored.
func (s *sight) era() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch
}

func (s *sight) newEra() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.epoch)
	s.epoch = make(chan struct{})
}

// returned returns a channel that is closed once etcd answers again.
func (s *sight) returned() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.back
}

// woken returns a channel that is closed once etcd has answered a doubt that comes after this.
func (s *sight) woken() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wake
}

func (s *sight) wakeUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.wake)
	s.wake = make(chan struct{})
}

// up notes that etcd has answered. Any goroutine may. That it is back is another matter: see cameBack.
func (s *sight) up(log *slog.Logger, endpoints []string) {
	l := s.link.Load()
	if l != nil && l.Up || !s.link.CompareAndSwap(l, &naming.Link{Up: true, Since: time.Now()}) {
		return
	}
	away := time.Duration(0)
	if l != nil {
		away = time.Since(l.Since)
	}
	log.Info("etcd answers", "endpoints", endpoints, "away", away.Round(time.Millisecond))
}

// cameBack tells those who wait for it that etcd was away and answers again. Only a look may say so, never a follower's own
// read: an etcd too slow for the one and not for the other would have all of them read everything, over and over.
func (s *sight) cameBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.back)
	s.back = make(chan struct{})
}

// down notes that etcd does not answer, or another reason for it. The connection's own goroutine calls it.
func (s *sight) down(log *slog.Logger, endpoints []string, err error) {
	l := s.link.Load()
	switch {
	case l == nil || l.Up:
		if s.link.CompareAndSwap(l, &naming.Link{Since: time.Now(), Err: err}) {
			log.Error("etcd does not answer; what is known stays in use, trying again for ever", "endpoints", endpoints, "err", err)
		}
	case err != nil:
		s.link.CompareAndSwap(l, &naming.Link{Since: l.Since, Err: err})
	}
}
