// Package logging sends everything that a service of the demo says to one slog handler.
package logging

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"regexp"

	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/cloudwego/kitex/pkg/klog"
	"github.com/redis/go-redis/v9"
)

// Setup makes w, in JSON, the default of slog, and lets Kitex and Hertz write there what is a warning or worse: what they
// say about an ordinary start and stop is noise beside the service's own words.
func Setup(w io.Writer, service string) *slog.Logger {
	log := slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: readable})).With("program", service)
	slog.SetDefault(log)
	klog.SetLevel(klog.LevelWarn)
	klog.SetOutput(bridge{log.With("from", "kitex")})
	hlog.SetLevel(hlog.LevelWarn)
	hlog.SetOutput(bridge{log.With("from", "hertz")})
	redis.SetLogger(redisLog{log.With("from", "go-redis")})
	return log
}

// readable writes durations as people do; JSON would have them in nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// redisLog takes what go-redis says each second while its server is away, which the probe says once.
type redisLog struct{ log *slog.Logger }

func (r redisLog) Printf(ctx context.Context, format string, v ...any) {
	r.log.DebugContext(ctx, fmt.Sprintf(format, v...))
}

// mark is how both frameworks write a level; the first one of a line is theirs.
var mark = regexp.MustCompile(`\[(Warn|Error|Fatal)\] `)

// bridge is what a framework's own logger writes to, one line at a time: "date time file.go:7: [Warn] KITEX: text".
type bridge struct{ log *slog.Logger }

func (b bridge) Write(line []byte) (int, error) {
	level, text := slog.LevelWarn, line
	if m := mark.FindSubmatchIndex(line); m != nil {
		if word := string(line[m[2]:m[3]]); word != "Warn" {
			level = slog.LevelError
		}
		text = line[m[1]:]
	}
	b.log.Log(context.Background(), level, string(bytes.TrimSpace(text)))
	return len(line), nil
}
