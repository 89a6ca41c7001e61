// Package fault holds the scenarios of the suite, each in a file of its own.
package fault

import (
	"time"

	"github.com/muster-go/muster/chaos/internal/rig"
)

// All returns every scenario, in the order of the table.
func All() []rig.Scenario {
	return []rig.Scenario{
		nodeRestart(), leaderKilled(), majorityLost(),
		outage("outage-30s", "3 x TTL", 3*realTTL), outage("outage-3m", "3 min", 3*time.Minute),
		frozenFlapping(), cutFlapping(), wiped(), restoredOlder(), restoredFurther(), compacted(),
		delayed(300), delayed(2000),
		blackHole("both", rig.Both), blackHole("to-etcd", rig.Up), blackHole("from-etcd", rig.Down), instanceCut(), instancesCut(), callerCut(),
		noSpace(), tokenExpires(),
		leaseRevoked(), servingDeleted(), rosterDeleted(), stranger(), twin(), lateLeave(),
		instanceKilled(), frozen(), terminatedEarly(), terminatedWaiting(), terminated(), terminatedWithdrawn(), terminatedHeld(),
		terminatedInOutage(), flips(), pairs(),
		crowd("crowd-500", 1, 500), crowd("crowd-1000", 20, 50),
		rollingRestart(), rollingRestartFlapping(),
	}
}

// soon is how long Muster may take where everything that it needs is there.
const soon = 3 * time.Second
