package kitexext

import (
	"context"
	"math/rand/v2"

	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/loadbalance"
)

// guard stands before a picker whose rebuilding takes long: what has gone since it was built is not picked, though the
// picker does not know yet.
type guard struct {
	picker loadbalance.Picker
	of     *converter
}

// guardTries is how often a guard asks the picker again. One instance in a thousand is hit once; only where most of a
// service has gone does it come to the last resort.
const guardTries = 4

// Next implements loadbalance.Picker.
func (g *guard) Next(ctx context.Context, request any) discovery.Instance {
	for range guardTries {
		picked := g.picker.Next(ctx, request)
		if own, ok := picked.(*instance); !ok || !own.gone.Load() {
			return picked
		}
	}
	// Any that is there is better than one that is not.
	if l := g.of.last.Load(); l != nil && len(l.result.Instances) > 0 {
		return l.result.Instances[rand.IntN(len(l.result.Instances))]
	}
	return nil
}
