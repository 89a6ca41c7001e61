package etcd

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// hidden is a Config that may be shown. It has none of Config's methods.
type hidden Config

func (c Config) hide() hidden {
	if c.Password != "" {
		c.Password = "***"
	}
	endpoints := make([]string, len(c.Endpoints)) // unchecked yet, maybe
	for i, e := range c.Endpoints {
		endpoints[i] = redactURL(e)
	}
	c.Endpoints, c.Logger = endpoints, nil
	return hidden(c)
}

// String returns the configuration for people, without the password.
func (c Config) String() string { return fmt.Sprintf("%+v", c.hide()) }

// GoString implements fmt.GoStringer, without the password.
func (c Config) GoString() string { return fmt.Sprintf("%#v", c.hide()) }

// LogValue implements slog.LogValuer, without the password.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON implements json.Marshaler, without the password: a log in JSON asks for no other method of a field's.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.hide()) }
