package etcdtest

import (
	"fmt"
	"path/filepath"
	"strings"
)

// NewCluster returns the members of a cluster, none of which has been started, with their data in folders below dir. There is
// one for each two ports, for clients and for peers. What o says beyond that is the same for all of them.
func NewCluster(dir string, ports []int, o Options) []*Process {
	n := len(ports) / 2
	peers := make([]string, n)
	for i := range n {
		peer := localURL(ports[2*i+1])
		peers[i] = fmt.Sprintf("node-%d=%s", i, peer.String())
	}
	all := make([]*Process, n)
	for i := range n {
		m := o
		m.Name, m.Peers = fmt.Sprintf("node-%d", i), strings.Join(peers, ",")
		m.Dir = filepath.Join(dir, m.Name)
		m.ClientPort, m.PeerPort = ports[2*i], ports[2*i+1]
		all[i] = NewProcess(m)
	}
	return all
}
