package rig

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// CountRequests counts from now on what etcd's nodes say that they have been asked. The function that it returns ends the
// count and returns the number, and the most within one second.
func (w *World) CountRequests(ctx context.Context) (stop func() (all int, peak float64)) {
	ctx, cancel := context.WithCancel(ctx)
	type sample struct {
		at time.Time
		n  int
	}
	samples := []sample{{time.Now(), w.requests(ctx)}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			pause(ctx, 200*time.Millisecond)
			if n := w.requests(ctx); n > 0 {
				samples = append(samples, sample{time.Now(), n})
			}
		}
	}()
	return func() (int, float64) {
		last := sample{time.Now(), w.requests(ctx)}
		cancel()
		<-done
		samples = append(samples, last)
		peak := 0.0
		for i, a := range samples {
			for _, b := range samples[i+1:] {
				if d := b.at.Sub(a.at); d >= time.Second || b == last {
					peak = max(peak, float64(b.n-a.n)/max(d.Seconds(), 1))
					break
				}
			}
		}
		return last.n - samples[0].n, peak
	}
}

// requests sums up the unary requests and the streams of all nodes.
func (w *World) requests(ctx context.Context) (all int) {
	for _, e := range w.endpoints() {
		rctx, cancel := context.WithTimeout(ctx, time.Second)
		req, err := http.NewRequestWithContext(rctx, http.MethodGet, "http://"+e+"/metrics", nil)
		if err == nil {
			if resp, err := http.DefaultClient.Do(req); err == nil {
				all += sumStarted(resp.Body)
				_ = resp.Body.Close()
			}
		}
		cancel()
	}
	return all
}

func sumStarted(r io.Reader) (all int) {
	in := bufio.NewScanner(r)
	for in.Scan() {
		if line := in.Text(); strings.HasPrefix(line, "grpc_server_msg_received_total{") {
			if v, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64); err == nil {
				all += int(v)
			}
		}
	}
	return all
}

// CountServing returns how many keys a service has.
func (o *Observer) CountServing(ctx context.Context, service string) (int, error) {
	r, err := o.Client().Get(ctx, ServingKey(service, ""), clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	return int(r.Count), nil
}
