package kitexext

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/loadbalance"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/naming"
)

// guard stands before a picker: while there is a newer view than the one that the picker was made of, because its successor
// is being made or waited for, what is not in that view is not picked.
type guard struct {
	picker loadbalance.Picker
	sub    *catalog.Subscription
	seq    uint64 // of the view that the picker was made of
	lists  *lists
}

// guardTries is how often a guard asks the picker again. One instance in a thousand is hit once; only where most of a
// service has gone does it come to the last resort.
const guardTries = 4

// Next implements loadbalance.Picker.
func (g *guard) Next(ctx context.Context, request any) discovery.Instance {
	v := g.sub.View()
	if v == nil || v.Seq <= g.seq {
		return g.picker.Next(ctx, request)
	}
	for range guardTries {
		picked := g.picker.Next(ctx, request)
		if own, ok := picked.(*instance); !ok || has(v.Instances, own.of.Addr) {
			return picked
		}
	}
	// Any that is there is better than one that is not.
	if all := g.lists.of(v).result.Instances; len(all) > 0 {
		return all[rand.IntN(len(all))]
	}
	return nil
}

// has reports whether the address is in a view's list.
func has(list []*naming.Instance, addr string) bool {
	_, ok := slices.BinarySearchFunc(list, addr, func(i *naming.Instance, addr string) int { return strings.Compare(i.Addr, addr) })
	return ok
}
