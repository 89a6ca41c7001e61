package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// saveEvery is the pause between two rounds of saving: what changes more often is saved in its latest form.
const saveEvery = time.Second

// disk keeps the last view of each service in files. One goroutine writes them, started by the first view, so that no
// push waits for a disk.
type disk struct {
	dir    string
	scope  string
	maxAge time.Duration
	log    *slog.Logger

	wake chan struct{}
	quit chan struct{}
	done chan struct{}

	mu      sync.Mutex // guards everything that follows
	started bool
	pending map[string]*View
	failing bool
}

func newDisk(o Options, scope string) (*disk, error) {
	dir := filepath.Join(o.CacheDir, "scope-"+digest(scope))
	if !o.Namespace.IsZero() {
		dir = filepath.Join(o.CacheDir, o.Namespace.Name(), o.Namespace.Group())
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("catalog: Options.CacheDir %q can't be used: %w", o.CacheDir, err)
	}
	return &disk{
		dir:     dir,
		scope:   scope,
		maxAge:  o.CacheMaxAge,
		log:     o.Logger,
		wake:    make(chan struct{}, 1),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
		pending: make(map[string]*View),
	}, nil
}

// save has v written soon, unless a newer one comes first.
func (d *disk) save(v *View) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending[v.Service] = v
	if !d.started {
		d.started = true
		go d.run()
	}
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *disk) run() {
	defer close(d.done)
	for {
		select {
		case <-d.quit:
			d.flush()
			return
		case <-d.wake:
			d.flush()
		}
		pause := time.NewTimer(saveEvery)
		select {
		case <-d.quit:
		case <-pause.C:
		}
		pause.Stop()
	}
}

// flush writes what is pending. A directory that can't be written to is reported once, until it can be again.
func (d *disk) flush() {
	d.mu.Lock()
	pending := d.pending
	d.pending = make(map[string]*View)
	d.mu.Unlock()
	for _, v := range pending {
		err := d.write(v)
		d.mu.Lock()
		report := err != nil && !d.failing
		d.failing = err != nil
		d.mu.Unlock()
		if report {
			d.log.Warn("catalog: a view can't be saved; a client that starts while the registry is away will miss it", "service", v.Service, "err", err)
		}
	}
}

// close writes what is pending and ends the goroutine. Nobody saves any more.
func (d *disk) close() {
	d.mu.Lock()
	started := d.started
	d.mu.Unlock()
	if started {
		close(d.quit)
		<-d.done
	}
}

// write replaces the service's file in one step: a reader finds the old one or the new one, also after a power cut.
func (d *disk) write(v *View) error {
	data, err := encodeCopy(d.scope, v, time.Now())
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(d.dir, ".view-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), d.path(v.Service))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	if dir, err := os.Open(d.dir); err == nil {
		_ = dir.Sync() // where directories can't be synced, the rename is as safe as it gets
		_ = dir.Close()
	}
	return nil
}

// read returns the service's copy, or nil where there is none that may be used.
func (d *disk) read(service string, now time.Time) *View {
	path := d.path(service)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var v *View
	if err == nil {
		v, err = decodeCopy(data, d.scope, service)
	}
	if err == nil && now.Sub(v.Saved) >= d.maxAge {
		err = fmt.Errorf("it is %v old, at most %v is allowed", now.Sub(v.Saved).Round(time.Second), d.maxAge)
	}
	if err != nil {
		d.log.Warn("catalog: the copy of a view is refused", "service", service, "file", path, "err", err)
		return nil
	}
	d.log.Warn("catalog: the registry has not answered: a copy of the last view is used", "service", service,
		"instances", len(v.Instances), "age", now.Sub(v.Saved).Round(time.Second), "file", path)
	return v
}

// path returns the service's file. A name can hold what a file's can't, so that a digest makes it unique.
func (d *disk) path(service string) string {
	const most = 80
	safe := []byte(service)
	for i, c := range safe {
		if c >= 0x80 || c != '-' && c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			safe[i] = '_'
		}
	}
	return filepath.Join(d.dir, string(safe[:min(len(safe), most)])+"-"+digest(d.scope+"\x00"+service)+".view")
}
