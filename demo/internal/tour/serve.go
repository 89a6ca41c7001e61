package tour

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/muster-go/muster/demo/internal/rpc"
)

// startAll starts instances of both services together and waits until each is listed in etcd.
func (t *tour) startAll(ctx context.Context, namespace string, names ...string) ([]*instance, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	from := t.reg.mark()
	all, errs := make([]*instance, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for n, name := range names {
		wg.Go(func() {
			service := rpc.UserService
			if strings.Contains(name, "order") {
				service = rpc.OrderService
			}
			if all[n], errs[n] = t.start(ctx, namespace, name, service); errs[n] == nil {
				_, errs[n] = t.reg.awaitServing(ctx, from, all[n].key, true)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (t *tour) begin(ctx context.Context) error {
	began := time.Now()
	all, err := t.startAll(ctx, "dev", "user-1", "user-2", "user-3", "order-1", "order-2", "order-3")
	if err != nil {
		return err
	}
	t.sayf("all six are listed %s after their start (Kitex registers 1 s after the listener is up)", short(time.Since(began)))

	ctx, cancel := limit(ctx)
	defer cancel()
	t.stopLoad = t.clients.load(t.ledger)
	for _, i := range all {
		if _, err := t.ledger.await(ctx, 0, "call that "+i.name+" answers", func(c call) bool { return c.by(i.rpcAddr) }); err != nil {
			return err
		}
	}
	from, at := t.ledger.mark(), time.Now()
	if err := t.ledger.awaitMore(ctx, 300); err != nil {
		return err
	}
	n := t.ledger.since(from)
	t.sayf("%.0f calls per second from here, %.0f with those that the services make of each other; half of them take %s at most",
		float64(n.calls)/time.Since(at).Seconds(), float64(hops(n))/time.Since(at).Seconds(), short(n.percentile(50)))
	t.noFailures("failed calls, through all six", 0)
	return nil
}

func hops(n tally) (sum int) {
	for _, a := range n.answered {
		sum += a
	}
	return sum
}

// newcomer: a client hears of a new instance by watch, not by the next poll.
func (t *tour) newcomer(ctx context.Context) error {
	t.stepf("new instance", "One more instance of %s", rpc.UserService)
	from, calls := t.reg.mark(), t.ledger.mark()
	all, err := t.startAll(ctx, "dev", "user-4")
	if err != nil {
		return err
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	listed, err := t.reg.awaitServing(ctx, from, all[0].key, true)
	if err != nil {
		return err
	}
	first, err := t.firstCall(ctx, calls, all[0])
	if err != nil {
		return err
	}
	t.within("listed in etcd → first call to it", first.Sub(listed.at), time.Second)
	t.noFailures("failed calls meanwhile", calls)
	return nil
}

// firstCall returns when an instance began its first answer among the calls from that place on.
func (t *tour) firstCall(ctx context.Context, from int, i *instance) (time.Time, error) {
	if _, err := t.ledger.await(ctx, from, "call that "+i.name+" answers", func(c call) bool { return c.by(i.rpcAddr) }); err != nil {
		return time.Time{}, err
	}
	if err := t.ledger.awaitMore(ctx, callers); err != nil { // calls that began earlier may end later
		return time.Time{}, err
	}
	return t.ledger.since(from).first[i.rpcAddr], nil
}

// get asks an instance's HTTP side.
func get(ctx context.Context, url string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	return resp.StatusCode, strings.TrimSpace(string(b)), err
}

func (t *tour) sayHealth(ctx context.Context, i *instance) error {
	status, body, err := get(ctx, i.webURL+"/healthz")
	if err != nil {
		return err
	}
	t.sayf("%s/healthz answers %d %s", i.webURL, status, body)
	return nil
}

func (t *tour) named(name string) (*instance, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, i := range t.instances {
		if i.name == name {
			return i, nil
		}
	}
	return nil, fmt.Errorf("no instance %s", name)
}
