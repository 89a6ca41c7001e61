package etcd

import (
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/muster-go/muster/naming"
)

// layout makes the keys of one namespace and group, relative to the prefix that the client is bound to. A group is a DNS
// label, so it can't begin with the dot of the other branches.
type layout struct{ group string }

// prefix is what a client of the namespace is bound to.
func prefix(root string, ns naming.Namespace) string { return root + "/" + ns.Name() + "/" }

func (l layout) serving(service string) string { return l.group + "/" + service + "/" }

func (l layout) roster(service string) string { return ".roster/" + l.group + "/" + service + "/" }

func (l layout) guard(service string) string { return ".guard/" + l.group + "/" + service }

func (l layout) operator(service string) string { return ".operator/" + l.group + "/" + service + "/" }

func (l layout) claim(service string) string { return ".claim/" + l.group + "/" + service + "/" }

// memberKeys are the keys of one instance.
type memberKeys struct{ serving, roster, guard, operator, claim string }

func (l layout) member(service, addr string) memberKeys {
	return memberKeys{
		serving:  l.serving(service) + addr,
		roster:   l.roster(service) + addr,
		guard:    l.guard(service),
		operator: l.operator(service) + addr,
		claim:    l.claim(service) + addr,
	}
}

// all reads the roster's, the serving, the operator's and the claim's key, in this order.
func (k memberKeys) all() []clientv3.Op {
	return []clientv3.Op{clientv3.OpGet(k.roster), clientv3.OpGet(k.serving), clientv3.OpGet(k.operator), clientv3.OpGet(k.claim)}
}

// addrOf returns the address in a key below dir; ok is false where the rest can't be one.
func addrOf(dir string, key []byte) (addr string, ok bool) {
	addr, ok = strings.CutPrefix(string(key), dir)
	return addr, ok && naming.CheckAddr(addr) == nil
}
