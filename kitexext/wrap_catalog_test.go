package kitexext

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudwego/kitex/pkg/registry"

	"github.com/muster-go/muster/catalog"
	"github.com/muster-go/muster/naming"
)

// strangers is a registry that was written for Kitex, with three servers of the service "echo" that all accept connections.
type strangers struct {
	r *kitexRegistry

	mu   sync.Mutex
	dead map[string]bool
}

func newStrangers() *strangers {
	f := &strangers{r: &kitexRegistry{newKitexWorld(), "dev"}, dead: map[string]bool{}}
	for _, addr := range []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"} {
		_ = f.r.Register(f.info(addr))
	}
	return f
}

func (f *strangers) info(addr string) *registry.Info {
	at, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		panic(err) // only a test's own addresses get here
	}
	return &registry.Info{ServiceName: "echo", Addr: at, Weight: 10}
}

func (f *strangers) dial(_ context.Context, _, addr string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead[addr] {
		return nil, errors.New("refused")
	}
	return nil, nil
}

func (f *strangers) kill(addr string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead[addr] = true
}

// A foreign registry announces no leave. Of those that a gate has withdrawn from it, a catalog keeps what accepts
// connections where too few remain; with NoSuspects it believes the registry at once.
func TestACatalogOverAForeignResolver(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		believes            bool
		few, none, dead, up string // the views after two of three have withdrawn, all, one has died, and the time is up
	}{
		"suspects":    {false, "1? 2? 3", "1? 2? 3?", "2? 3?", ""},
		"no suspects": {true, "3", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newStrangers()
				w := WrapResolver(f.r, Logger(quiet()), PollInterval(time.Second))
				defer w.Close()
				c, err := catalog.New(w, catalog.Options{NoSuspects: tt.believes, Dial: f.dial, Logger: quiet()})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				expect := func(when, want string) {
					t.Helper()
					pass(2 * time.Second) // a poll
					v, err := c.Lookup(t.Context(), "echo")
					if err != nil {
						t.Fatal(err)
					}
					if got := marked(v); got != want {
						t.Errorf("%s: view %q, want %q", when, got, want)
					}
				}
				if _, err := c.Lookup(t.Context(), "echo"); err != nil {
					t.Fatal(err)
				}
				expect("at first", "1 2 3")
				for _, addr := range []string{"10.0.0.1:80", "10.0.0.2:80"} {
					_ = f.r.Deregister(f.info(addr))
				}
				expect("two have withdrawn", tt.few)
				_ = f.r.Deregister(f.info("10.0.0.3:80"))
				expect("all have withdrawn", tt.none)
				f.kill("10.0.0.1:80")
				expect("one has died", tt.dead)
				pass(catalog.DefaultSuspectFor)
				expect("the time is up", tt.up)
			})
		})
	}
}

// marked returns the last byte of each address of a view, suspects with a question mark.
func marked(v *catalog.View) string {
	suspect := map[*naming.Instance]bool{}
	for _, i := range v.Suspects {
		suspect[i] = true
	}
	var all []string
	for _, i := range v.Instances {
		name := strings.TrimSuffix(strings.TrimPrefix(i.Addr, "10.0.0."), ":80")
		if suspect[i] {
			name += "?"
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}
