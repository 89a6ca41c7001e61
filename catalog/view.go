package catalog

import (
	"time"

	"github.com/muster-go/muster/naming"
)

// View is what a client should know of one service. It is immutable and shared: nothing in it may be modified.
type View struct {
	// Service is the name that was looked up.
	Service string
	// Instances may be called. They are sorted by Addr, which is unique in them, and pointer-stable from view to view.
	// It may be empty: then every instance has left.
	Instances []*naming.Instance
	// Suspects are those of Instances that the registry no longer lists; see the package comment. Sorted by Addr.
	Suspects []*naming.Instance
	// Revision is the registry's at the last change, 0 where it has none.
	Revision int64
	// Seq grows from view to view of one service, also across an idle time, and is never 0. It means nothing outside its
	// catalog.
	Seq uint64
	// Made is when this process made the view.
	Made time.Time
	// Saved is zero in a view of the registry's. Where the registry has not answered since the watch began, and the view is
	// what was known before, it is when that was: when the service became idle, or when the copy in Options.CacheDir was
	// written.
	Saved time.Time
}
