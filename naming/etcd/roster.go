package etcd

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/muster-go/muster/naming"
)

// rosterEntry is the value of a roster key.
type rosterEntry struct {
	ID        string            `json:"id"`
	Namespace string            `json:"namespace"`
	Group     string            `json:"group"`
	State     string            `json:"state"`
	Unfit     bool              `json:"unfit,omitempty"`
	Probes    map[string]string `json:"probes,omitempty"`
	Started   time.Time         `json:"started"`
	Version   string            `json:"version,omitempty"`
}

// order is the value of an operator key.
type order struct {
	ID    string    `json:"id"`
	By    string    `json:"by"`
	Until time.Time `json:"until,omitzero"`
}

func encodeRoster(ns naming.Namespace, id string, st naming.Status) string {
	b, err := json.Marshal(rosterEntry{
		ID: id, Namespace: ns.Name(), Group: ns.Group(), State: st.State, Unfit: st.Unfit, Probes: st.Probes,
		Started: st.Started.UTC().Truncate(time.Millisecond), Version: st.Version,
	})
	if err != nil { // a year beyond 9999 is all that could be refused here
		return `{"id":"` + id + `"}`
	}
	return string(b)
}

// decodeRoster reads a roster value; ok is false for what is none of this namespace's.
func decodeRoster(ns naming.Namespace, value []byte) (e rosterEntry, ok bool) {
	if len(value) > maxValue || !utf8.Valid(value) || json.Unmarshal(value, &e) != nil || e.ID == "" || len(e.ID) > maxID {
		return rosterEntry{}, false
	}
	return e, !foreign(e.Namespace, ns.Name()) && !foreign(e.Group, ns.Group())
}

// decodeOrder returns the operator's order for the instance of that id, or nil where there is none in force.
func decodeOrder(id string, value []byte, now time.Time) *naming.Offline {
	o, ok := parseOrder(value)
	if !ok || o.ID != id {
		return nil
	}
	if !o.Until.IsZero() && !now.Before(o.Until) {
		return nil
	}
	return &naming.Offline{By: o.By, Until: o.Until}
}

// parseOrder reads an order for whatever instance; ok is false for what is none.
func parseOrder(value []byte) (o order, ok bool) {
	if len(value) > maxValue || !utf8.Valid(value) || json.Unmarshal(value, &o) != nil || o.ID == "" {
		return order{}, false
	}
	return o, true
}
