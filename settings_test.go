package muster

import (
	"reflect"
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	all := settings(map[string]string{
		"MUSTER_NAMESPACE": "staging", "MUSTER_GROUP": "", "MUSTER_ETCD_PASSWORD": "hunter2", "MUSTER_ETCD_PASSWORD_FILE": "/run/pw",
		"MUSTER_NAMESPCE": "prod", "MUSTER_ETCD_PASSWRD": "hunter2", "MUSTER_ETCD_CRED": "hunter2", "MUSTER_PASSWORD_FILE": "hunter2", "MUSTER_ETCD_ENDPOINTS": "http://u:hunter2@a:1,b:2", "HOME": "/",
	})
	got := map[string]Setting{}
	for _, s := range all {
		got[s.Name] = s
		if strings.Contains(s.Value, "hunter2") {
			t.Errorf("a secret in %+v", s)
		}
	}
	for _, want := range []Setting{
		{"MUSTER_NAMESPACE", "staging", true, true},
		{"MUSTER_GROUP", "default", false, true},
		{"MUSTER_KEY_ROOT", "muster", false, true},
		{"MUSTER_ETCD_PASSWORD", "***", true, true},
		{"MUSTER_ETCD_PASSWORD_FILE", "/run/pw", true, true},
		{"MUSTER_ETCD_ENDPOINTS", "***@a:1,b:2", true, true},
		{"MUSTER_LEASE_TTL", "10s", false, true},
		{"KITEX_IP_TO_REGISTRY", "", false, true},
		{"MUSTER_NAMESPCE", "***", true, false},
		{"MUSTER_ETCD_CRED", "***", true, false},
		{"MUSTER_ETCD_PASSWRD", "***", true, false},
	} {
		if got[want.Name] != want {
			t.Errorf("%+v, want %+v", got[want.Name], want)
		}
	}
	if n := reflect.TypeFor[environment]().NumField() + 4; len(all) != n || all[0].Name != "MUSTER_NAMESPACE" {
		t.Errorf("%d settings, want %d", len(all), n)
	}
}
