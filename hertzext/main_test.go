package hertzext

import (
	"testing"

	"github.com/cloudwego/hertz/pkg/common/hlog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	hlog.SetLevel(hlog.LevelWarn) // not a line for each route
	goleak.VerifyTestMain(m,
		// What Hertz and netpoll start once and keep for the life of a process.
		goleak.IgnoreAnyFunction("github.com/cloudwego/hertz/pkg/protocol.UpdateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/cloudwego/netpoll.(*defaultPoll).Wait"))
}
