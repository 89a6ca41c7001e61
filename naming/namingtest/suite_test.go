package namingtest_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConformance runs the suite on the registry in memory, with all features and with none.
func TestConformance(t *testing.T) {
	for name, f := range map[string]naming.Features{
		"full": {Roster: true, Floor: true, Marks: true, Operator: true},
		"bare": {},
	} {
		t.Run(name, func(t *testing.T) { namingtest.Run(t, harness(namingtest.NewRegistry(), f)) })
	}
}

func harness(reg *namingtest.Registry, f naming.Features) namingtest.Harness {
	return namingtest.Harness{
		New:      func(_ testing.TB, ns naming.Namespace) namingtest.Process { return reg.DriverWith(ns, f) },
		Requests: reg.Requests,
		Quiet:    50 * time.Millisecond,
		Faults: namingtest.Faults{
			ExpireLease: func(_ testing.TB, p namingtest.Process) { reg.ExpireLease(p.(*namingtest.Driver)) },
			DeleteServing: func(_ testing.TB, ns naming.Namespace, service, addr string) {
				reg.DeleteServing(ns, service, addr)
			},
			DeleteRoster: func(_ testing.TB, ns naming.Namespace, service, addr string) {
				reg.DeleteRoster(ns, service, addr)
			},
			PutForeign: func(t testing.TB, ns naming.Namespace, in naming.Instance) {
				if err := reg.PutForeign(ns, in); err != nil {
					t.Fatal(err)
				}
			},
			SetOffline: func(_ testing.TB, _ naming.Namespace, in naming.Instance, by string) {
				reg.SetOffline(in.ID, by, time.Time{})
			},
			SetOnline: func(_ testing.TB, _ naming.Namespace, in naming.Instance) { reg.SetOnline(in.ID) },
			SetAway: func(_ testing.TB, away bool) {
				f := namingtest.None
				if away {
					f = namingtest.Hang
				}
				reg.Break(f)
			},
		},
	}
}
