package catalog_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

// A driver's promises and the catalog's together, over the registry in memory.
func TestOverARegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ns, err := naming.NewNamespace("dev", "")
		if err != nil {
			t.Fatal(err)
		}
		reg := namingtest.NewRegistry()
		client := reg.Driver(ns)
		defer client.Close()
		net := new(network)
		c := open(t, client, catalog.Options{Dial: net.dial})
		want(t, c, "svc", "") // the registry says that nobody is there

		var servers []*namingtest.Driver
		var members []naming.Membership
		for n := range 3 {
			d := reg.Driver(ns)
			defer d.Close()
			i, err := naming.Instance{Service: "svc", Addr: fmt.Sprintf("10.0.0.%d:1", n+1), ID: fmt.Sprint(n)}.Normalize()
			if err != nil {
				t.Fatal(err)
			}
			m, err := d.Join(t.Context(), naming.Claim{Instance: i})
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Publish(t.Context(), naming.Status{State: "serving"}, false); err != nil {
				t.Fatal(err)
			}
			servers, members = append(servers, d), append(members, m)
		}
		want(t, c, "svc", "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1")

		if _, err := members[0].Withdraw(t.Context(), naming.Floor{}, naming.Status{State: "withdrawn"}, naming.Status{State: "held"}); err != nil {
			t.Fatal(err)
		}
		want(t, c, "svc", "10.0.0.2:1 10.0.0.3:1")
		if net.dials != 0 {
			t.Error("a withdrawal made suspects")
		}

		reg.Break(namingtest.Refuse) // longer than anybody waits
		time.Sleep(time.Hour)
		want(t, c, "svc", "10.0.0.2:1 10.0.0.3:1")
		reg.Break(namingtest.None)
		time.Sleep(time.Minute)

		// The registry forgets both, and both accept connections.
		reg.ExpireLease(servers[1])
		reg.ExpireLease(servers[2])
		v := want(t, c, "svc", "10.0.0.2:1 10.0.0.3:1")
		if addrs(v.Suspects) != "10.0.0.2:1 10.0.0.3:1" {
			t.Errorf("suspects %q", addrs(v.Suspects))
		}
		net.set("10.0.0.2:1", true)
		time.Sleep(10 * time.Second)
		want(t, c, "svc", "10.0.0.3:1")
		time.Sleep(catalog.DefaultSuspectFor)
		want(t, c, "svc", "")
	})
}
