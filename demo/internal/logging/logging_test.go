package logging

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/cloudwego/kitex/pkg/klog"
)

func TestFrameworksThroughSlog(t *testing.T) {
	var out bytes.Buffer
	Setup(&out, "user-svc")
	klog.Info("noise")
	hlog.SystemLogger().Info("noise")
	klog.Warnf("KITEX: %d calls", 3)
	hlog.SystemLogger().Errorf("broken: %s", "[Warn] inside")

	type line struct {
		Level   string `json:"level"`
		Msg     string `json:"msg"`
		Program string `json:"program"`
		From    string `json:"from"`
	}
	want := []line{
		{"WARN", "KITEX: 3 calls", "user-svc", "kitex"},
		{"ERROR", "HERTZ: broken: [Warn] inside", "user-svc", "hertz"},
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), out.String())
	}
	for i, w := range want {
		var got line
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil || got != w {
			t.Errorf("line %d = %+v, %v; want %+v", i, got, err, w)
		}
	}
}
