package muster

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Setting is one variable of the environment, for people.
type Setting struct {
	// Name is the variable's.
	Name string
	// Value is what is in effect, as it would be written into the variable; a password is shown as "***", and so is the value
	// of a variable that is not known, which may be one under a misspelt name. Empty where nothing is.
	Value string
	// Set says that the value comes from the environment; otherwise it is the default.
	Set bool
	// Known is false for a variable that begins with MUSTER_ and has no effect: it is mostly misspelt.
	Known bool
}

// Settings lists every variable that [ParseEnv] reads, in the order of the documentation, and then those that look as if it
// did.
func Settings() []Setting { return settings(env.ToMap(os.Environ())) }

func settings(vars map[string]string) []Setting {
	var all []Setting
	known := map[string]bool{}
	for f := range reflect.TypeFor[environment]().Fields() {
		s := Setting{Name: f.Tag.Get("env"), Value: f.Tag.Get("envDefault"), Known: true}
		if v := vars[s.Name]; v != "" {
			s.Value, s.Set = v, true
		}
		s.Value = hide(s.Name, s.Value)
		known[s.Name] = true
		all = append(all, s)
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if strings.HasPrefix(name, "MUSTER_") && !known[name] {
			all = append(all, Setting{Name: name, Value: mask(vars[name]), Set: true})
		}
	}
	return all
}

// hide masks what is a secret in a variable that is known.
func hide(name, value string) string {
	if name == "MUSTER_ETCD_PASSWORD" {
		return mask(value)
	}
	if at := strings.LastIndex(value, "@"); at >= 0 { // credentials in an address, where they don't belong
		return "***" + value[at:]
	}
	return value
}
