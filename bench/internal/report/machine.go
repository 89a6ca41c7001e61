package report

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// New returns an empty report of this machine.
func New(full bool) *Report {
	return &Report{When: time.Now().UTC(), Machine: machine(), Versions: versions(), Full: full}
}

func machine() string {
	cpu := field("/proc/cpuinfo", "model name")
	if cpu == "" {
		cpu = runtime.GOARCH
	}
	mem := field("/proc/meminfo", "MemTotal")
	if mem != "" {
		mem = ", " + mem + " of memory"
	}
	return fmt.Sprintf("%s, %d cores%s, %s/%s, %s", cpu, runtime.NumCPU(), mem, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// field returns what stands behind a name and a colon; empty where there is no such file or field.
func field(file, name string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		if key, v, ok := strings.Cut(in.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// versions returns those of what is measured and compared.
func versions() (all []string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, d := range info.Deps {
		switch d.Path {
		case "github.com/cloudwego/kitex", "github.com/cloudwego/hertz", "github.com/cloudwego/netpoll", "go.etcd.io/etcd/server/v3",
			"go.etcd.io/etcd/client/v3", "google.golang.org/grpc", "github.com/kitex-contrib/registry-etcd",
			"github.com/alexliesenfeld/health", "github.com/hellofresh/health-go/v5":
			all = append(all, d.Path+" "+d.Version)
		}
	}
	return all
}
