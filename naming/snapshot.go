package naming

import "time"

// Snapshot is what a registry says of one service at one revision. It is immutable and may be shared.
type Snapshot struct {
	Service string
	// Revision is the registry's; it grows with each change, and is 0 where the registry has none.
	Revision int64
	// Instances are sorted by Addr, which is unique in them. An instance that has not changed is the same pointer in the
	// next snapshot, so that the difference of two snapshots is a merge.
	Instances []*Instance
}

// Update is one message of a watch.
type Update struct {
	// Snapshot is the complete view after the change; it is never nil.
	Snapshot *Snapshot
	// Left are the addresses that have announced their leave since the previous update, in any order. An address that is
	// gone from the snapshot without being in here has lapsed: nobody said that it would go.
	Left []string
}

// Link is what a driver knows of the registry itself.
type Link struct {
	// Up says whether the registry answers.
	Up bool
	// Since is when Up last changed; zero before the first attempt.
	Since time.Time
	// Err is why the registry does not answer, where that is known. It holds no secret.
	Err error
	// Skipped counts what the driver has seen under its prefix that is no instance of its namespace, since the driver was
	// made; the same value counts again each time that it is read.
	Skipped int64
}
