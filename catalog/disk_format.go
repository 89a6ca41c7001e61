package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/muster-go/muster/naming"
)

// A copy is one line, "muster-view 1 " and the SHA-256 of what follows, and then JSON.
const copyMagic = "muster-view 1 "

type copyFile struct {
	Scope     string         `json:"scope"`
	Service   string         `json:"service"`
	Saved     time.Time      `json:"saved"`
	Revision  int64          `json:"revision"`
	Instances []copyInstance `json:"instances"`
}

type copyInstance struct {
	Network  string            `json:"network"`
	Addr     string            `json:"address"`
	Weight   int               `json:"weight"`
	Tags     map[string]string `json:"tags,omitempty"`
	ID       string            `json:"id,omitempty"`
	Degraded bool              `json:"degraded,omitempty"`
}

// digest returns a short name for s.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

func encodeCopy(scope string, v *View, now time.Time) ([]byte, error) {
	file := copyFile{Scope: scope, Service: v.Service, Saved: now, Revision: v.Revision, Instances: make([]copyInstance, len(v.Instances))}
	for n, i := range v.Instances {
		file.Instances[n] = copyInstance{Network: i.Network, Addr: i.Addr, Weight: i.Weight, Tags: i.Tags, ID: i.ID, Degraded: i.Degraded}
	}
	body, err := json.Marshal(file)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return fmt.Appendf(nil, "%s%x\n%s", copyMagic, sum, body), nil
}

// decodeCopy returns the view that data holds, or why it may not be used.
func decodeCopy(data []byte, scope, service string) (*View, error) {
	head, body, ok := bytes.Cut(data, []byte("\n"))
	sum, magic := bytes.CutPrefix(head, []byte(copyMagic))
	if !ok || !magic {
		return nil, errors.New("it is not a copy of this version, or it is damaged")
	}
	if want := sha256.Sum256(body); string(sum) != hex.EncodeToString(want[:]) {
		return nil, errors.New("its checksum is wrong: it is damaged")
	}
	var file copyFile
	if err := json.Unmarshal(body, &file); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if file.Scope != scope || file.Service != service {
		return nil, fmt.Errorf("it is foreign: it was saved for %q in %q", file.Service, file.Scope)
	}
	v := &View{Service: service, Revision: file.Revision, Saved: file.Saved, Instances: make([]*naming.Instance, len(file.Instances))}
	for n, i := range file.Instances {
		inst, err := naming.Instance{
			Service: service, Network: i.Network, Addr: i.Addr, Weight: i.Weight, Tags: i.Tags, ID: i.ID, Degraded: i.Degraded,
		}.Normalize()
		if err != nil {
			return nil, err
		}
		v.Instances[n] = &inst
	}
	v.Instances = sorted(nil, v.Instances)
	return v, nil
}
