package kitexext

import (
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloudwego/kitex/pkg/registry"

	"github.com/muster-go/muster/gate"
	"github.com/muster-go/muster/naming"
)

var listener = &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 8888}

func TestSpecs(t *testing.T) {
	t.Parallel()
	floor, delay := naming.Count(2), 3*time.Second
	for name, tt := range map[string]struct {
		opts []RegistryOption
		info registry.Info
		want []gate.Spec
		err  string
	}{
		"the option's name": {
			opts: []RegistryOption{Service("user-svc")},
			info: registry.Info{Addr: listener, Weight: 10},
			want: []gate.Spec{{Service: "user-svc", Network: "tcp", Listen: listener, Weight: 10, Tags: map[string]string{}}},
		},
		"Kitex's name": {
			info: registry.Info{ServiceName: "user-svc", Addr: listener, Weight: 10},
			want: []gate.Spec{{Service: "user-svc", Network: "tcp", Listen: listener, Weight: 10, Tags: map[string]string{}}},
		},
		"the same name twice": {
			opts: []RegistryOption{Service("user-svc")},
			info: registry.Info{ServiceName: "user-svc", Addr: listener, Weight: 10},
			want: []gate.Spec{{Service: "user-svc", Network: "tcp", Listen: listener, Weight: 10, Tags: map[string]string{}}},
		},
		"behind a sidecar": {
			opts: []RegistryOption{Service("user-svc"), Advertise("10.1.2.3:8888")},
			info: registry.Info{Addr: &net.UnixAddr{Name: "/run/user.sock", Net: "unix"}, Weight: 10},
			want: []gate.Spec{{
				Service: "user-svc", Listen: &net.UnixAddr{Name: "/run/user.sock", Net: "unix"}, Advertise: "10.1.2.3:8888",
				Weight: 10, Tags: map[string]string{},
			}},
		},
		"two names": {
			opts: []RegistryOption{Service("user-svc")},
			info: registry.Info{ServiceName: "users", Addr: listener},
			err:  `the service is "user-svc" by the option Service, and "users" by Kitex's`,
		},
		"everything": {
			opts: []RegistryOption{
				Service("a"), FurtherServices("b"), FurtherServices("c"), Weight(20), Floor(floor), DrainDelay(delay),
				Advertise("10.9.9.9"), Tags(map[string]string{"zone": "z1"}), nil,
			},
			info: registry.Info{Addr: listener, Weight: 10, Tags: map[string]string{"rack": "r1"}},
			want: func() (all []gate.Spec) {
				for _, s := range []string{"a", "b", "c"} {
					all = append(all, gate.Spec{
						Service: s, Network: "tcp", Listen: listener, Advertise: "10.9.9.9", Weight: 20,
						Tags: map[string]string{"zone": "z1", "rack": "r1"}, Floor: &floor, DrainDelay: &delay,
					})
				}
				return all
			}(),
		},
		"Kitex's weight": {
			opts: []RegistryOption{Service("a")},
			info: registry.Info{Addr: listener, Weight: 30},
			want: []gate.Spec{{Service: "a", Network: "tcp", Listen: listener, Weight: 30, Tags: map[string]string{}}},
		},
		"two weights": {
			opts: []RegistryOption{Service("a"), Weight(20)},
			info: registry.Info{Addr: listener, Weight: 30},
			err:  `the weight is "20" by the option Weight, and "30"`,
		},
		"two values of a tag": {
			opts: []RegistryOption{Service("a"), Tags(map[string]string{"zone": "z1"})},
			info: registry.Info{Addr: listener, Tags: map[string]string{"zone": "z2"}},
			err:  `the tag "zone" is "z1" by the option Tags, and "z2"`,
		},
		"Kitex's address": {
			opts: []RegistryOption{Service("a")},
			info: registry.Info{Addr: listener, SkipListenAddr: true},
			want: []gate.Spec{{
				Service: "a", Network: "tcp", Listen: listener, Advertise: "10.0.0.1:8888", Tags: map[string]string{},
			}},
		},
		"two addresses": {
			opts: []RegistryOption{Service("a"), Advertise("10.9.9.9:1")},
			info: registry.Info{Addr: listener, SkipListenAddr: true},
			err:  `the address is "10.9.9.9:1" by the option Advertise, and "10.0.0.1:8888"`,
		},
		"no address": {
			opts: []RegistryOption{Service("a")},
			want: []gate.Spec{{Service: "a", Tags: map[string]string{}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var o registryOptions
			for _, opt := range tt.opts {
				if opt != nil {
					opt.applyRegistry(&o)
				}
			}
			got, err := o.specs(&tt.info)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want an error with %s", err, tt.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
}

// What is handed over is no part of the server's info, nor of the user's map.
func TestSpecsCopy(t *testing.T) {
	t.Parallel()
	info := registry.Info{ServiceName: "a", Addr: listener, Tags: map[string]string{"x": "1"}}
	own := map[string]string{"y": "1"}
	var o registryOptions
	Tags(own).applyRegistry(&o)
	own["y"] = "2"
	specs, err := o.specs(&info)
	if err != nil {
		t.Fatal(err)
	}
	info.Tags["x"] = "2"
	if got := specs[0].Tags; got["x"] != "1" || got["y"] != "1" {
		t.Errorf("tags %q", got)
	}
}
