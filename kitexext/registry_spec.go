package kitexext

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/registry"

	"github.com/muster-go/muster/gate"
)

// specs returns what the gate is to register, one for each service name, or an error where the options and Kitex's info
// contradict each other: to prefer either of them would be a guess.
func (o *registryOptions) specs(info *registry.Info) ([]gate.Spec, error) {
	if info == nil {
		return nil, errors.New("kitexext: WithRegistry: Register got a nil registry info")
	}
	name, err := o.name(info)
	if err != nil {
		return nil, err
	}
	weight, err := o.weigh(info)
	if err != nil {
		return nil, err
	}
	tags, err := o.tag(info)
	if err != nil {
		return nil, err
	}
	spec := gate.Spec{
		Service: name, Listen: info.Addr, Advertise: o.advertise, Weight: weight, Tags: tags,
		Floor: o.floor, DrainDelay: o.drain,
	}
	// The network of a listener that a sidecar stands before, a Unix socket's, is not what others dial.
	if info.Addr != nil && (info.SkipListenAddr || strings.HasPrefix(info.Addr.Network(), "tcp")) {
		spec.Network = info.Addr.Network()
	}
	if info.SkipListenAddr && info.Addr != nil {
		// This address is not the listener's, but one that the user wants to be registered.
		if own := info.Addr.String(); o.advertise == "" {
			spec.Advertise = own
		} else if o.advertise != own {
			return nil, contradiction("the address", "Advertise", o.advertise, own)
		}
	}
	specs := []gate.Spec{spec}
	for _, further := range o.further {
		spec.Service = further
		specs = append(specs, spec)
	}
	return specs, nil
}

// name returns the service's name; an empty one is the gate's to refuse.
func (o *registryOptions) name(info *registry.Info) (string, error) {
	switch {
	case info.ServiceName == "":
		return o.service, nil
	case o.service != "" && o.service != info.ServiceName:
		return "", contradiction("the service", "Service", o.service, info.ServiceName)
	}
	return info.ServiceName, nil
}

// weigh returns the weight. Kitex fills in its default, so that a 10 of its says nothing.
func (o *registryOptions) weigh(info *registry.Info) (int, error) {
	switch {
	case o.weight == 0:
		return info.Weight, nil
	case info.Weight != 0 && info.Weight != discovery.DefaultWeight && info.Weight != o.weight:
		return 0, contradiction("the weight", "Weight", o.weight, info.Weight)
	}
	return o.weight, nil
}

// tag returns the tags of both.
func (o *registryOptions) tag(info *registry.Info) (map[string]string, error) {
	tags := maps.Clone(info.Tags)
	if tags == nil {
		tags = make(map[string]string, len(o.tags))
	}
	for k, v := range o.tags {
		if own, ok := tags[k]; ok && own != v {
			return nil, contradiction(fmt.Sprintf("the tag %q", k), "Tags", v, own)
		}
		tags[k] = v
	}
	return tags, nil
}

func contradiction(what, option string, ours, kitexs any) error {
	return fmt.Errorf("kitexext: WithRegistry: %s is %q by the option %s, and %q by Kitex's WithServerBasicInfo or WithRegistryInfo: "+
		"set one of them only", what, fmt.Sprint(ours), option, fmt.Sprint(kitexs))
}
