// Package fault holds the scenarios of the suite, each in a file of its own.
package fault

import (
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// All returns every scenario, in the order of the table.
func All() []rig.Scenario {
	return []rig.Scenario{
		nodeRestart(), leaderKilled(),
		leaseRevoked(),
		instanceKilled(),
		rollingRestart(), rollingRestartFlapping(),
	}
}

// soon is how long Muster may take where everything that it needs is there.
const soon = 3 * time.Second
