package fault

import (
	"context"
	"slices"
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func contains(all []*rig.Instance, i *rig.Instance) bool { return slices.Contains(all, i) }

// unheardClose is why a call may fail where nothing tells the caller of a leave: it is under way on a connection just when
// the instance, having drained, closes it.
const unheardClose = "sent just when an instance closed that the caller could not know to have left"

// deaf allows for what a caller that was cut off from etcd in that time could not know: it goes on sending calls to an
// instance that has left, where they are refused and go elsewhere.
func deaf(w *rig.World, from, to time.Time, service string, closed time.Time) {
	w.Blind(from, to.Add(soon), service, unheard(to.Sub(from)), "the caller is cut off")
	w.Excuse(closed.Add(-time.Second), closed.Add(100*time.Millisecond), service, 3, unheardClose)
}

// unheard is how many calls may be sent to an instance of three while the caller does not hear for that long that it has
// left: each refused pick is made up for by another one, so that it is half of the service's calls, and half as many again.
func unheard(d time.Duration) int { return int(d/rig.Pace) / 2 / 2 * 3 / 2 }
