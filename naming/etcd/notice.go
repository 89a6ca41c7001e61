package etcd

import (
	"cmp"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/muster-go/muster/naming"
)

func (m *membership) Notice() naming.Notice {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.notice
}

// say replaces the notice by what change makes of it, and of what the conflict is made of.
func (m *membership) say(change func(*naming.Notice)) {
	m.mu.Lock()
	before := m.notice
	change(&m.notice)
	m.notice.Conflict = cmp.Or(m.stranger, m.rival)
	same := before == m.notice
	m.mu.Unlock()
	if same {
		return
	}
	select {
	case m.changed <- struct{}{}:
	default: // one is waiting already, and reads the latest
	}
}

// order takes in what the operator's key says, or that it is not there.
func (m *membership) order(kv *mvccpb.KeyValue) {
	var o *naming.Offline
	if kv != nil {
		o = decodeOrder(m.inst.ID, kv.Value, time.Now())
		if _, ok := parseOrder(kv.Value); !ok {
			m.d.complain(string(kv.Key), noOrder)
		}
	}
	m.say(func(n *naming.Notice) { n.Offline = o })
}
