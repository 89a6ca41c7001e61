package hertzext

import (
	"testing"

	"github.com/cloudwego/hertz/pkg/common/hlog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	hlog.SetLevel(hlog.LevelWarn) // not a line for each route
	goleak.VerifyTestMain(m)
}
