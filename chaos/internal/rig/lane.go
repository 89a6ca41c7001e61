package rig

import (
	"context"
	"fmt"
	"strings"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Lane is one process's own way to etcd: a proxy for each node, which can be delayed, made to swallow everything, or cut.
type Lane struct {
	proxies []*toxiproxy.Proxy
}

func newLane(api *toxiproxy.ApiServer, name string, ports []int, nodes []string) (*Lane, error) {
	l := &Lane{}
	for i, node := range nodes {
		p := toxiproxy.NewProxy(api, fmt.Sprintf("%s-%d", name, i), fmt.Sprintf("127.0.0.1:%d", ports[i]), node)
		if err := p.Start(); err != nil {
			return nil, err
		}
		l.proxies = append(l.proxies, p)
	}
	return l, nil
}

func newToxiproxy() *toxiproxy.ApiServer {
	return toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
}

func (l *Lane) endpoints() []string {
	var all []string
	for _, p := range l.proxies {
		all = append(all, p.Listen)
	}
	return all
}

// Direction is from the process (upstream), to it (downstream), or both.
type Direction []string

// The directions.
var (
	Up   = Direction{"upstream"}
	Down = Direction{"downstream"}
	Both = Direction{"upstream", "downstream"}
)

func (d Direction) String() string { return strings.Join(d, " and ") }

// Delay holds every answer back.
func (l *Lane) Delay(ms int) error {
	return l.add(Down, fmt.Sprintf(`"type":"latency","attributes":{"latency":%d}`, ms))
}

// Swallow lets connections hang: data vanish, nothing is closed.
func (l *Lane) Swallow(d Direction) error {
	return l.add(d, `"type":"timeout","attributes":{"timeout":0}`)
}

func (l *Lane) add(d Direction, toxic string) error {
	for _, p := range l.proxies {
		for _, stream := range d {
			if _, err := p.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"stream":%q,%s}`, stream, toxic))); err != nil {
				return err
			}
		}
	}
	return nil
}

// Cut closes the connections and refuses new ones.
func (l *Lane) Cut() {
	for _, p := range l.proxies {
		p.Stop()
	}
}

// Heal ends whatever was done to the lane.
func (l *Lane) Heal(ctx context.Context) error {
	for _, p := range l.proxies {
		p.Toxics.ResetToxics(ctx)
		if !p.Enabled {
			if err := p.Start(); err != nil {
				return err
			}
		}
	}
	return nil
}
