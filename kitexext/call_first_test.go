package kitexext

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/kerrors"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/internal/echo/kitex_gen/echo"
	echosvc "github.com/muster-go/muster/internal/echo/kitex_gen/echo/echo"
)

func TestACallThatCannotResolve(t *testing.T) {
	t.Parallel()
	closed := openCatalog(t, newWorld("test"))
	_ = closed.Close()
	used := openCatalog(t, newWorld("test"))
	_ = newClient(t, WithResolver(used))
	_ = used.Close()
	for name, tt := range map[string]struct {
		cli  echosvc.Client
		want string
	}{
		"nil catalog":    {newClient(t, WithResolver(nil)), "nil catalog"},
		"closed catalog": {newClient(t, WithResolver(closed)), "closed"},
		"used catalog":   {newClient(t, WithResolver(used)), "closed"},
		"bad name":       {newClient(t, WithResolver(openCatalog(t, newWorld("test"))), client.WithMiddleware(to("a/b"))), "'/'"},
	} {
		_, err := say(t, tt.cli)
		if !errors.Is(err, kerrors.ErrServiceDiscovery) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A registry that does not answer costs the first calls a bounded time, and heals.
func TestTheFirstCallWaitsABoundedTime(t *testing.T) {
	t.Parallel()
	w := newWorld("test")
	c := openCatalog(t, w)
	cli := newClient(t, WithResolver(c))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := cli.Say(ctx, &echo.Request{}); !errors.Is(err, kerrors.ErrRPCTimeout) {
		t.Errorf("the call's own time: %v", err)
	}
	if _, err := say(t, cli); !errors.Is(err, kerrors.ErrServiceDiscovery) || !errors.Is(err, catalog.ErrNoView) {
		t.Errorf("the catalog's time: %v", err)
	}
	arrived, err := c.Subscribe("echo")
	if err != nil {
		t.Fatal(err)
	}
	defer arrived.Close()
	w.set("echo", at(serve(t, "a")))
	<-arrived.Changed()
	if got, err := say(t, cli); err != nil || got != "a" {
		t.Errorf("%q, %v", got, err)
	}
}
