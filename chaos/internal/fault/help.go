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
