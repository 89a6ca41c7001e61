package rows

import (
	"io"
	"os"
	"testing"

	"github.com/cloudwego/kitex/pkg/klog"
	"go.uber.org/goleak"

	"github.com/muster-go/muster/bench/internal/report"
	"github.com/muster-go/muster/bench/internal/rig"
	"github.com/muster-go/muster/internal/etcdtest"
)

func TestMain(m *testing.M) {
	klog.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// TestHealthzAllocatesNothing is what the table of health checks says of Muster.
func TestHealthzAllocatesNothing(t *testing.T) {
	defer goleak.VerifyNone(t) // comes first: registry-etcd's clients can't be closed
	for _, hang := range []bool{false, true} {
		h, err := openHandlers(hang)
		if err != nil {
			t.Fatal(err)
		}
		call := h.caller(musterSide)
		if n := testing.AllocsPerRun(2000, call); n != 0 {
			t.Errorf("hung %v: %v allocations", hang, n)
		}
		h.close()
	}
}

// TestHang: a check that hangs holds one goroutine of Muster's, and leaves none behind.
func TestHang(t *testing.T) {
	defer goleak.VerifyNone(t)
	row := new(report.Row)
	if err := hang(&rig.Env{Context: t.Context(), Smoke: true, Log: t.Logf}, row); err != nil {
		t.Fatal(err)
	}
	if len(row.Goals) != 1 || !row.Goals[0].Met {
		t.Errorf("%+v", row.Goals)
	}
}

// TestCallAllocatesNoMore has a call through Muster allocate exactly what it does through registry-etcd, and without any
// registry. What the network adds is the same for all.
func TestCallAllocatesNoMore(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are counted without the race detector")
	}
	node := etcdtest.Start(t)
	cli := node.Client()
	for _, addr := range []string{"10.0.0.1:8888", "10.0.0.2:8888"} {
		if _, err := cli.Put(t.Context(), servingPrefix+"/echo-svc/"+addr, value(addr, 10)); err != nil {
			t.Fatal(err)
		}
	}
	allocs := map[string]float64{}
	for _, side := range rpcSides {
		opt, err := resolverOption(side, node.Endpoint())
		if err != nil {
			t.Fatal(err)
		}
		u, err := newUpstream("echo-svc", "", opt)
		if err != nil {
			t.Fatal(err)
		}
		if err := u.call(bg); err != nil {
			t.Fatal(err)
		}
		allocs[side] = testing.AllocsPerRun(2000, func() {
			if err := u.call(bg); err != nil {
				t.Error(err)
			}
		})
		if u.calls.Load() < 2000 {
			t.Errorf("%s: %d calls have picked", side, u.calls.Load())
		}
	}
	if allocs[musterSide] > allocs[peer] || allocs[musterSide] > allocs[fixed] {
		t.Errorf("allocations of a call: %v", allocs)
	}
}
