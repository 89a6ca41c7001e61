package etcd

import (
	"errors"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/etcdtest"
	"github.com/muster-go/muster/naming"
)

// TestJunkKeepsNobodyOut: what holds an address is a live process's.
func TestJunkKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	for name, junk := range map[string]string{
		"no JSON":                 "x",
		"a megabyte":              strings.Repeat("[", 1<<20),
		"another namespace's":     `{"network":"tcp","address":"10.0.0.1:8888","weight":1,"tags":{"muster.namespace":"prod","muster.id":"p"}}`,
		"an instance by hand":     `{"network":"tcp","address":"10.0.0.1:8888","weight":1}`,
		"one of Muster's by hand": `{"network":"tcp","address":"10.0.0.1:8888","weight":1,"tags":{"muster.namespace":"dev","muster.group":"default","muster.id":"q"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := node.Client().Put(within(t), servingKey, junk)
			must(t, err)
			d := newDriver(t, node.Endpoint())
			c := claim("user-svc", 1)
			c.Again = true
			m := join(t, d, c)
			must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
			must(t, m.Leave(within(t)))
			must(t, d.Close())
		})
	}
}

// TestIDMustBeText: another one is written as what it is not, and not known again.
func TestIDMustBeText(t *testing.T) {
	t.Parallel()
	c := claim("user-svc", 1)
	c.Instance.ID = "id\xff"
	if _, err := newDriver(t, "127.0.0.1:1").Join(within(t), c); !errors.Is(err, naming.ErrInvalid) {
		t.Error(err)
	}
}

// byStranger is what an unmodified registry-etcd writes.
const byStranger = `{"network":"tcp","address":"10.0.0.1:8888","weight":10}`

// TestAConflictEndsWhileWithdrawn: who is not listed has no conflict about the key that it does not want.
func TestAConflictEndsWhileWithdrawn(t *testing.T) {
	t.Parallel()
	node := etcdtest.Start(t)
	cli := node.Client()
	d := newDriver(t, node.Endpoint())
	m := join(t, d, claim("user-svc", 1))
	must(t, m.Publish(within(t), naming.Status{State: "serving"}, false))
	for range 2 { // the first is taken back
		_, err := cli.Put(within(t), servingKey, byStranger)
		must(t, err)
		for m.Notice().Conflict == "" && etcdtest.Keys(t, cli, servingKey)[servingKey] == byStranger {
			if within(t).Err() != nil {
				t.Fatal("nothing happens")
			}
		}
	}
	conflict(t, m, "written by")
	_, err := m.Withdraw(within(t), naming.Floor{}, naming.Status{State: "withdrawn", Unfit: true}, naming.Status{})
	must(t, err)
	if got := etcdtest.Keys(t, cli, servingKey)[servingKey]; got != byStranger {
		t.Errorf("the stranger's value is %q", got)
	}
	_, err = cli.Delete(within(t), servingKey)
	must(t, err)
	conflict(t, m, "")
}
