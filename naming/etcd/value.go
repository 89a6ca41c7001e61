package etcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"unicode/utf8"

	"github.com/muster-go/muster/naming"
)

// The tags that Muster adds to a serving value. They are tags, not fields, so that the value stays in registry-etcd's
// format to the letter.
const (
	tagNamespace = naming.TagPrefix + "namespace"
	tagGroup     = naming.TagPrefix + "group"
	tagID        = naming.TagPrefix + "id"
	tagState     = naming.TagPrefix + "state"

	stateLeaving  = "leaving"
	stateDegraded = "degraded"
)

const (
	// maxValue bounds what is decoded: a stranger's megabyte must cost nothing.
	maxValue = 64 << 10
	// maxID bounds an instance's id, which is compared, logged and shown. Muster's own have 26 bytes.
	maxID = 128
)

// wireInstance is the format of kitex-contrib/registry-etcd.
type wireInstance struct {
	Network string            `json:"network"`
	Address string            `json:"address"`
	Weight  int               `json:"weight"`
	Tags    map[string]string `json:"tags"`
}

var errForeign = errors.New("stamped with another namespace or group")

// encodeServing returns the serving value of an instance, stamped with its namespace. state is empty, leaving or degraded.
func encodeServing(ns naming.Namespace, i naming.Instance, state string) (string, error) {
	tags := make(map[string]string, len(i.Tags)+4)
	maps.Copy(tags, i.Tags)
	tags[tagNamespace], tags[tagGroup], tags[tagID] = ns.Name(), ns.Group(), i.ID
	if state != "" {
		tags[tagState] = state
	}
	b, err := json.Marshal(wireInstance{Network: i.Network, Address: i.Addr, Weight: i.Weight, Tags: tags})
	if err != nil {
		return "", fmt.Errorf("%w: tags of %s: %w", naming.ErrInvalid, i.Service, err)
	}
	if len(b) > maxValue {
		return "", fmt.Errorf("%w: the tags of %s make a value of %d bytes, at most %d", naming.ErrInvalid, i.Service, len(b), maxValue)
	}
	return string(b), nil
}

// decodeServing reads the value of a serving key. leaving says that the instance has announced its leave; it must not be
// called any more. The errors name what is wrong, never the value.
func decodeServing(ns naming.Namespace, service, addr string, value []byte) (inst *naming.Instance, leaving bool, err error) {
	if len(value) > maxValue {
		return nil, false, fmt.Errorf("value of %d bytes, at most %d", len(value), maxValue)
	}
	if !utf8.Valid(value) {
		return nil, false, errors.New("value is not UTF-8")
	}
	var w wireInstance
	if err := json.Unmarshal(value, &w); err != nil {
		return nil, false, errors.New("value is not an instance in JSON")
	}
	if w.Address != addr {
		return nil, false, errors.New("value's address is not its key's")
	}
	if w.Weight <= 0 {
		if w.Weight < 0 {
			return nil, false, errors.New("negative weight")
		}
		w.Weight = naming.DefaultWeight
	}
	if foreign(w.Tags[tagNamespace], ns.Name()) || foreign(w.Tags[tagGroup], ns.Group()) {
		return nil, false, errForeign
	}
	i := naming.Instance{
		Service: service, Network: w.Network, Addr: addr, Weight: w.Weight,
		ID: w.Tags[tagID], Degraded: w.Tags[tagState] == stateDegraded,
	}
	if len(i.ID) > maxID {
		return nil, false, errors.New("value's instance id is too long")
	}
	leaving = w.Tags[tagState] == stateLeaving
	for _, k := range []string{tagNamespace, tagGroup, tagID, tagState} {
		delete(w.Tags, k)
	}
	if len(w.Tags) > 0 {
		i.Tags = w.Tags
	}
	i, err = i.Normalize()
	if err != nil {
		return nil, false, errors.New("value's address, weight or tags can't be an instance's")
	}
	return &i, leaving, nil
}

// foreign reports whether a stamp is there and another one: registry-etcd's values have none and are accepted.
func foreign(stamp, own string) bool { return stamp != "" && stamp != own }
