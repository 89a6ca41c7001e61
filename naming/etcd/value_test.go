package etcd

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/naming"
)

// TestServingValueIsRegistryEtcds compares with what other programs read: the four fields and nothing else.
func TestServingValueIsRegistryEtcds(t *testing.T) {
	ns := testNamespace(t, "dev")
	v, err := encodeServing(ns, naming.Instance{
		Service: "user-svc", Network: "tcp", Addr: "10.0.0.1:8888", Weight: 7, ID: "id-1", Tags: map[string]string{"zone": "a"},
	}, "")
	must(t, err)
	const want = `{"network":"tcp","address":"10.0.0.1:8888","weight":7,"tags":` +
		`{"muster.group":"default","muster.id":"id-1","muster.namespace":"dev","zone":"a"}}`
	if v != want {
		t.Errorf("value\n%s, want\n%s", v, want)
	}
}

func TestDecodeServing(t *testing.T) {
	ns := testNamespace(t, "dev")
	const addr = "10.0.0.1:8888"
	for _, c := range []struct {
		name, value, bad string
	}{
		{"registry-etcd's", `{"network":"tcp","address":"10.0.0.1:8888","weight":10,"tags":null}`, ""},
		{"unknown fields", `{"network":"tcp","address":"10.0.0.1:8888","weight":10,"more":{}}`, ""},
		{"no weight", `{"network":"tcp","address":"10.0.0.1:8888"}`, ""},
		{"empty", ``, "JSON"},
		{"no JSON", `10.0.0.1:8888`, "JSON"},
		{"a list", `[]`, "JSON"},
		{"weight a string", `{"address":"10.0.0.1:8888","weight":"10"}`, "JSON"},
		{"other address", `{"network":"tcp","address":"10.0.0.2:8888"}`, "address"},
		{"negative weight", `{"network":"tcp","address":"10.0.0.1:8888","weight":-1}`, "negative"},
		{"absurd weight", `{"network":"tcp","address":"10.0.0.1:8888","weight":1000000000}`, "weight"},
		{"other namespace", `{"address":"10.0.0.1:8888","tags":{"muster.namespace":"prod"}}`, "another namespace"},
		{"other group", `{"address":"10.0.0.1:8888","tags":{"muster.group":"blue"}}`, "another namespace"},
		{"own tags", `{"address":"10.0.0.1:8888","tags":{"muster.secret":"x"}}`, "tags"},
		{"not UTF-8", "{\"address\":\"10.0.0.1:8888\",\"tags\":{\"a\":\"\xff\"}}", "UTF-8"},
		{"huge", `{"address":"10.0.0.1:8888","tags":{"a":"` + strings.Repeat("x", maxValue) + `"}}`, "bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inst, _, err := decodeServing(ns, "user-svc", addr, []byte(c.value))
			switch {
			case c.bad == "" && (err != nil || inst.Addr != addr || inst.Weight != naming.DefaultWeight):
				t.Errorf("= %+v, %v", inst, err)
			case c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad)):
				t.Errorf("error %v, want one with %q", err, c.bad)
			}
		})
	}
}

func TestEncodeRefusesWhatNobodyCouldRead(t *testing.T) {
	i := naming.Instance{Service: "s", Addr: "10.0.0.1:1", Tags: map[string]string{"a": strings.Repeat("x", maxValue)}}
	if _, err := encodeServing(testNamespace(t, "dev"), i, ""); !errors.Is(err, naming.ErrInvalid) {
		t.Errorf("err = %v, want ErrInvalid", err)
	}
}

func TestDecodeOrder(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name, value string
		want        bool
	}{
		{"for ever", `{"id":"id-1","by":"ann"}`, true},
		{"until later", `{"id":"id-1","by":"ann","until":"2026-01-02T04:00:00Z"}`, true},
		{"expired", `{"id":"id-1","by":"ann","until":"2026-01-02T03:00:00Z"}`, false},
		{"for the process before", `{"id":"id-0","by":"ann"}`, false},
		{"no JSON", `offline`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := decodeOrder("id-1", []byte(c.value), now); (got != nil) != c.want {
				t.Errorf("= %+v", got)
			}
		})
	}
}

// FuzzDecodeServing: whatever a stranger writes, what comes out is an instance that could have been registered.
func FuzzDecodeServing(f *testing.F) {
	ns := testNamespace(f, "dev")
	for _, tags := range []map[string]string{nil, {"a": "b"}} {
		v, err := encodeServing(ns, naming.Instance{Network: "tcp", Addr: "10.0.0.1:8888", Weight: 1, ID: "x", Tags: tags}, stateLeaving)
		must(f, err)
		f.Add("10.0.0.1:8888", []byte(v))
	}
	f.Add("", []byte(`{}`))
	f.Fuzz(func(t *testing.T, addr string, value []byte) {
		inst, leaving, err := decodeServing(ns, "user-svc", addr, value)
		if err != nil {
			return
		}
		if _, err := inst.Normalize(); err != nil || inst.Addr != addr {
			t.Fatalf("%+v is no instance at %q: %v", inst, addr, err)
		}
		state := ""
		if leaving {
			state = stateLeaving
		} else if inst.Degraded {
			state = stateDegraded
		}
		back, err := encodeServing(ns, *inst, state)
		if err != nil {
			return // longer than it came in, by the stamp
		}
		again, left, err := decodeServing(ns, "user-svc", addr, []byte(back))
		if err != nil || left != leaving || !again.Equal(inst) {
			t.Fatalf("%+v came back as %+v, %v", inst, again, err)
		}
	})
}

// FuzzDecodeRoster: no roster value is taken for another namespace's, and none panics.
func FuzzDecodeRoster(f *testing.F) {
	ns := testNamespace(f, "dev")
	f.Add([]byte(encodeRoster(ns, "id-1", naming.Status{State: "serving", Probes: map[string]string{"db": "ok"}})))
	f.Add([]byte(`{"id":"x","namespace":"prod"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		e, ok := decodeRoster(ns, value)
		if ok && (e.ID == "" || !json.Valid(value) || foreign(e.Namespace, "dev") || foreign(e.Group, "default")) {
			t.Fatalf("accepted %q", value)
		}
	})
}
