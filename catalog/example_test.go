package catalog_test

import (
	"context"
	"fmt"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

func Example() {
	ctx := context.Background()
	ns, err := naming.NewNamespace("dev", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	driver := namingtest.NewRegistry().Driver(ns) // in memory; etcd's in earnest
	defer driver.Close()
	c, err := catalog.New(driver, catalog.Options{Namespace: ns})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	sub, err := c.Subscribe("parrot")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sub.Close()
	<-sub.Changed() // nobody is there yet

	i, err := naming.Instance{Service: "parrot", Addr: "10.0.0.1:8888", ID: "1"}.Normalize()
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := driver.Join(ctx, naming.Claim{Instance: i})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Publish(ctx, naming.Status{State: "serving"}, false); err != nil {
		fmt.Println(err)
		return
	}
	<-sub.Changed()

	v, err := c.Lookup(ctx, "parrot")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, i := range v.Instances {
		fmt.Println(i.Addr, i.Weight)
	}
	// Output: 10.0.0.1:8888 10
}
