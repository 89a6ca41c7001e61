package catalog

import (
	"slices"
	"strings"
)

// Views returns the latest view of each service in use, sorted by service; one that is still waited for is left out. It
// counts as no use: a service that is only looked at here goes idle all the same.
func (c *Catalog) Views() []*View {
	entries := *c.entries.Load()
	views := make([]*View, 0, len(entries))
	for _, e := range entries {
		if v := e.view.Load(); v != nil {
			views = append(views, v)
		}
	}
	slices.SortFunc(views, func(a, b *View) int { return strings.Compare(a.Service, b.Service) })
	return views
}
