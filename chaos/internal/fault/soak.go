package fault

import (
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// Soak breaks things at random for that long.
func Soak(d time.Duration) rig.Scenario { return rig.Scenario{Name: "soak", Limit: d} }
