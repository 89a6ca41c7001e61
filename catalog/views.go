package catalog

import (
	"slices"
	"strings"
	"time"
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

// Age returns for how long nobody has stood by a view: 0 where it is the registry's and the registry answers, else the time
// since the registry was last heard, or since a copy was saved. v is one that Lookup or Views has just returned.
func (c *Catalog) Age(v *View) time.Duration {
	link := c.w.Link()
	switch {
	case !v.Saved.IsZero():
		return time.Since(v.Saved)
	case link.Up:
		return 0
	case link.Since.IsZero():
		return time.Since(v.Made) // a driver that does not say
	}
	return time.Since(link.Since)
}
