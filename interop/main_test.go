package interop

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/cloudwego/kitex/pkg/klog"
	"go.uber.org/goleak"

	"github.com/muster-go/muster/internal/etcdtest"
)

func TestMain(m *testing.M) {
	etcdtest.Main()
	klog.SetOutput(io.Discard)
	code := m.Run()
	if left := leaked(); left != "" && code == 0 {
		fmt.Fprintln(os.Stderr, left)
		code = 1
	}
	os.Exit(code)
}

// leaked returns the goroutines of Muster's that are left. Others there are many: registry-etcd has no way to close its
// clients of etcd, nor Kitex to end its balancers.
func leaked() string {
	err := goleak.Find()
	if err == nil {
		return ""
	}
	var left []string
	for stack := range strings.SplitSeq(err.Error(), "\nGoroutine ") {
		if strings.Contains(stack, "github.com/muster-go/muster/") {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}
