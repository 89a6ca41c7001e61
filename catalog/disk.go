package catalog

// disk keeps the last view of each service in files.
type disk struct{}

func newDisk(Options, string) (*disk, error) { return nil, nil }

func (d *disk) save(*View) {}

func (e *entry) useCopy() {}
