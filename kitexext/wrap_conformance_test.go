package kitexext

import (
	"errors"
	"testing"
	"time"

	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/namingtest"
)

// wrappedProcess is both wrappers as one driver.
type wrappedProcess struct {
	*WrappedRegistry
	*WrappedResolver
}

func (p wrappedProcess) Close() error {
	return errors.Join(p.WrappedRegistry.Close(), p.WrappedResolver.Close())
}

// The wrappers keep what package naming promises, as far as a registry can that was written for Kitex.
func TestWrappersConform(t *testing.T) {
	w := newKitexWorld()
	namingtest.Run(t, namingtest.Harness{
		New: func(_ testing.TB, ns naming.Namespace) namingtest.Process {
			r := &kitexRegistry{w, ns.String()}
			return wrappedProcess{
				WrapRegistry(r, Logger(quiet())),
				WrapResolver(r, Logger(quiet()), PollInterval(2*time.Millisecond), PollScope(ns.String())),
			}
		},
		Faults: namingtest.Faults{
			// No SetAway: where it has nothing to ask, a wrapper does not notice that the registry is away.
			PutForeign: func(tb testing.TB, ns naming.Namespace, in naming.Instance) {
				tb.Helper()
				info := infoOf(in, time.Time{})
				if err := (&kitexRegistry{w, ns.String()}).Register(&info); err != nil {
					tb.Fatal(err)
				}
			},
			PutRubbish: func(_ testing.TB, ns naming.Namespace, service string) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.listed[ns.String()+"/"+service+"/rubbish"] = rubbish{}
			},
		},
	})
}
