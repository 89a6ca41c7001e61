package etcd

import "strings"

// Why a value is skipped, beside the reasons of decodeServing.
const (
	noAddress = "the key's last part is no address"
	noEntry   = "the value is no roster entry of this namespace"
	noOrder   = "the value is no operator's order"
)

// complain counts and logs, at a bounded rate, what somebody else wrote under the prefix: each time that it is read.
func (d *Driver) complain(key, why string) {
	n, say := d.skipped.Add(1), false
	d.complaints.Do(func() { say = true })
	if say {
		d.cfg.Logger.Warn("skipped a value under the prefix that is nothing of Muster's; remove it, or find out who writes it",
			"key", strings.ToValidUTF8(key[:min(len(key), 200)], "?"), "why", why, "skipped_in_all", n)
	}
}
