package kitexext

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/naming"
)

// member joins a driver of r in a bubble.
func member(t *testing.T, d *WrappedRegistry, addr string) naming.Membership {
	t.Helper()
	m, err := d.Join(t.Context(), naming.Claim{Instance: instanceAt(addr)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func within(t *testing.T, d time.Duration, f func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	begin := time.Now()
	err := f(ctx)
	if took := time.Since(begin); took > d {
		t.Errorf("a call of %v took %v", d, took)
	}
	return err
}

func wantNoEntries(t *testing.T, d *WrappedRegistry) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.entries); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

func publish(m naming.Membership) func(context.Context) error {
	return func(ctx context.Context) error { return m.Publish(ctx, naming.Status{}, false) }
}

func withdraw(m naming.Membership) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := m.Withdraw(ctx, naming.Percent(50), naming.Status{}, naming.Status{})
		return err
	}
}

// A slow Register holds up neither the withdrawal nor the leave, and what it lists in the end is taken out again.
func TestALateRegisterIsFollowedByADeregister(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newCalls()
		d := WrapRegistry(r, Logger(quiet()))
		m := member(t, d, "10.0.0.1:80")
		if err := within(t, 3*time.Second, publish(m)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		slow := r.expect(t, "Register")
		if err := within(t, 2500*time.Millisecond, m.Leave); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		<-m.Done()
		if err := m.Err(); !errors.Is(err, naming.ErrLeft) {
			t.Error(err)
		}
		slow.answer <- nil
		r.answer(t, "Deregister", nil)
		synctest.Wait()
		wantNoEntries(t, d)
		if n := r.atOnce(); n != 1 {
			t.Errorf("%d calls at once", n)
		}
	})
}

// The same Register that a publication has given up on is the one that the next publication waits for.
func TestASlowRegisterIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newCalls()
		d := WrapRegistry(r, Logger(quiet()))
		m := member(t, d, "10.0.0.1:80")
		if err := within(t, 3*time.Second, publish(m)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		slow := r.expect(t, "Register")
		time.AfterFunc(2*time.Second, func() { slow.answer <- nil })
		if err := within(t, 3*time.Second, publish(m)); err != nil {
			t.Fatal(err)
		}
		go r.answer(t, "Deregister", nil)
		if err := within(t, 3*time.Second, m.Leave); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := r.story(); len(got) != 2 {
			t.Errorf("calls %q", got)
		}
	})
}

// Several instances of one registry are called for one at a time; one that hangs delays the others for the limit at most.
func TestOneCallAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newCalls()
		d := WrapRegistry(r, Logger(quiet()), CallLimit(10*time.Second))
		one, two := member(t, d, "10.0.0.1:80"), member(t, d, "10.0.0.2:80")
		go func() { _ = publish(one)(t.Context()) }()
		hangs := r.expect(t, "Register")
		if err := within(t, 3*time.Second, publish(two)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		go r.answer(t, "Register", nil)
		if err := within(t, 10*time.Second, publish(two)); err != nil {
			t.Fatal(err)
		}
		if got := r.story(); len(got) != 2 || got[1] != "Register 10.0.0.2:80" {
			t.Errorf("calls %q", got)
		}
		if n := r.atOnce(); n != 2 {
			t.Errorf("%d calls at once; the one that was given up still runs", n)
		}
		hangs.answer <- nil
		synctest.Wait()
		for _, m := range []naming.Membership{one, two} {
			go func() {
				h := <-r.arrived
				for ; h.name != "Deregister"; h = <-r.arrived {
					h.answer <- nil
				}
				h.answer <- nil
			}()
			if err := within(t, 10*time.Second, m.Leave); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		wantNoEntries(t, d)
	})
}

// registry-etcd's second Deregister can block for ever: it counts as done, and the instance can be published again.
func TestADeregisterThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newCalls()
		d := WrapRegistry(r, Logger(quiet()), CallLimit(10*time.Second))
		m := member(t, d, "10.0.0.1:80")
		go r.answer(t, "Register", nil)
		if err := within(t, time.Second, publish(m)); err != nil {
			t.Fatal(err)
		}
		if err := within(t, 3*time.Second, withdraw(m)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		hangs := r.expect(t, "Deregister")
		if err := within(t, 10*time.Second, withdraw(m)); err == nil {
			// Whether it is the call's end or the state that the waiter hears of, the instance counts as withdrawn.
			t.Log("withdrawn")
		}
		if err := within(t, time.Second, withdraw(m)); err != nil {
			t.Fatalf("a Deregister that was given up is called again: %v", err)
		}
		go r.answer(t, "Register", nil)
		if err := within(t, time.Second, publish(m)); err != nil {
			t.Fatal(err)
		}
		// The Deregister returns after all, and may have taken the new listing with it.
		hangs.answer <- nil
		r.answer(t, "Register", nil)
		go r.answer(t, "Deregister", nil)
		if err := within(t, time.Second, m.Leave); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := []string{"Register", "Deregister", "Register", "Register", "Deregister"}
		if got := r.story(); len(got) != len(want) {
			t.Errorf("calls %q, want %q", got, want)
		}
	})
}

// A registry in which everything hangs holds a bounded number of goroutines.
func TestABoundedNumberOfCallsHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newCalls()
		d := WrapRegistry(r, Logger(quiet()), CallLimit(time.Second))
		m := member(t, d, "10.0.0.1:80")
		for range 100 {
			if err := within(t, time.Second, publish(m)); err == nil {
				t.Fatal("published by a registry that hangs")
			}
		}
		if n := len(r.story()); n != maxHung {
			t.Errorf("%d calls hang, want %d", n, maxHung)
		}
		_ = within(t, time.Second, m.Leave)
		go func() { // whatever is called for, as they return one by one
			for h := range r.arrived {
				h.answer <- nil
			}
		}()
		synctest.Wait()
		close(r.arrived)
		wantNoEntries(t, d)
		if got := r.story(); got[len(got)-1] != "Deregister 10.0.0.1:80" {
			t.Errorf("calls %q", got)
		}
	})
}
