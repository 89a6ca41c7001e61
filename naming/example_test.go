package naming_test

import (
	"fmt"

	"github.com/muster-go/muster/naming"
)

// A protected namespace is entered only by those who say its name twice.
func ExampleProtection_Check() {
	prod, err := naming.NewNamespace("prod", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	p := naming.Protection{Names: naming.DefaultProtected(), ConfirmWith: "MUSTER_CONFIRM_NAMESPACE"}
	fmt.Println(p.Check(prod))
	p.Confirm = "prod"
	fmt.Println(p.Check(prod))
	// Output:
	// naming: not confirmed: namespace "prod" is protected: to register or resolve in it, set MUSTER_CONFIRM_NAMESPACE=prod
	// <nil>
}

// Of four instances two may leave; the third that fails has to stay, and those that left have to help out.
func ExampleFloor() {
	half, err := naming.ParseFloor("50%")
	if err != nil {
		fmt.Println(err)
		return
	}
	c := naming.Census{Alive: 4, Serving: 4}
	for range 3 {
		c.Unfit++
		permitted := half.Permits(c, true)
		if permitted {
			c.Serving--
		}
		fmt.Printf("%d unfit: permitted %v, serving %d, opens %v\n", c.Unfit, permitted, c.Serving, half.Opens(c))
	}
	// Output:
	// 1 unfit: permitted true, serving 3, opens false
	// 2 unfit: permitted true, serving 2, opens false
	// 3 unfit: permitted false, serving 2, opens true
}
